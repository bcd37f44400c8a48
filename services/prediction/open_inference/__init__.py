"""The Open Inference Protocol: version 2 over HTTP with binary tensors, and version 1 as KServe has it.

Source: "Open Inference Protocol (V2)" and "Data Plane (V1)" of KServe, and Triton's "Binary Tensor Data Extension".
"""
