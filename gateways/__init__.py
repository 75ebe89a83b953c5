"""Everything inbound: payload formats as pure decoders. Bytes come in, points and refusals go out."""
