"""The life of an alert: judged, pending, firing, resolved; muted, due and routed."""
