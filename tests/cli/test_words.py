from alexnet.cli.words import counted


def test_one_and_many():
    assert [counted(n, "picture") for n in (0, 1, 2000)] == [
        "0 pictures",
        "1 picture",
        "2,000 pictures",
    ]
