"""ONNX graphs in double precision, which the converters do not write."""

# How far their answers may be from the library's own, relative.
IN_DOUBLE = 1e-12
