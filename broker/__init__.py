"""The core: organisations, datastreams, licences, privacy, releases. It knows no payload format and no HTTP."""
