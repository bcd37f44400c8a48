package io.trackback.host;

import java.io.IOException;
import java.io.InputStream;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.SAXException;

/** Id, version and name of a plugin, from its `plugin.xml`. */
record PluginDescriptor(String id, String version, String name) {

    static PluginDescriptor parse(InputStream xml) throws IOException, InvalidPluginException {
        Element plugin = root(xml);
        return new PluginDescriptor(plugin.getAttribute("id"), text(plugin, "version"), text(plugin, "name"));
    }

    private static Element root(InputStream xml) throws IOException, InvalidPluginException {
        try {
            DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
            factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
            return factory.newDocumentBuilder().parse(xml).getDocumentElement();
        } catch (ParserConfigurationException | SAXException notXml) {
            throw new InvalidPluginException("plugin.xml is not XML: " + notXml.getMessage());
        }
    }

    /** Of the first element of this name, because the vendor has a `name` too. */
    private static String text(Element plugin, String tag) throws InvalidPluginException {
        NodeList found = plugin.getElementsByTagName(tag);
        if (found.getLength() == 0) {
            throw new InvalidPluginException("plugin.xml: expected an element '" + tag + "', found none");
        }
        return found.item(0).getTextContent().strip();
    }
}
