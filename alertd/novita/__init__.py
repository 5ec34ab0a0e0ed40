"""The billing API: HTTP client, and the wire format with all its oddities."""
