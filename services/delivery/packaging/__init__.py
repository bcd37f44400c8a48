"""Makes a release of a model: the form that serves, and the image around it."""
