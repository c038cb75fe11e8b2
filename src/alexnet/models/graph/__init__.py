"""Networks that are no sequence: nodes that name their inputs, as other programs describe them."""
