"""What a configuration may say: schema, check, signatures, identity."""
