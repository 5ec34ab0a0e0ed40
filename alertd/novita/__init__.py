"""The billing API: the HTTP client and the wire format with its quirks."""
