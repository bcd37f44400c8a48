"""ONNX graphs in double precision, which the converters do not write."""
