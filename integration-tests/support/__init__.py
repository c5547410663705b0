"""What the tests against the real Envoy stand on."""
