"""Networks that are no sequence: nodes of layers, as other programs describe them."""
