"""The reference target: programs interpreted with NumPy, in float64 or float32."""
