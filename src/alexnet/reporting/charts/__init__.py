"""Charts, drawn with matplotlib as SVG and PNG, and numbers drawn as images."""
