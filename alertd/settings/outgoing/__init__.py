"""How alertd leaves this host: proxies, certificates and TLS keys, as the environment names them."""
