"""Bank statements: camt.053/.054, OFX, CFONB 120, MT940; recognised by content (formats D4)."""
