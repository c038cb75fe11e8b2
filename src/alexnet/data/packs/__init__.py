"""The images of a source, decoded and resized once, in checksummed shards mapped into memory."""
