"""Tokens of each sample by the tokenizer that mistral-common has: count.py SAMPLES OUT, in the form of count.mjs."""
import json
import sys
from importlib import resources

from mistral_common.tokens.tokenizers.tekken import Tekkenizer

with resources.as_file(resources.files("mistral_common").joinpath("data/tekken_240911.json")) as path:
    TOKENIZER = Tekkenizer.from_file(path)

with open(sys.argv[1]) as samples, open(sys.argv[2], "w") as out:
    for line in samples:
        sample = json.loads(line)
        tokens = TOKENIZER.encode(sample["text"], bos=False, eos=False)
        if sample["part"] == "fit":
            tokens = [len(TOKENIZER.id_to_byte_piece(token)) for token in tokens]
            assert sum(tokens) == len(sample["text"].encode())
        else:
            tokens = len(tokens)
        out.write(json.dumps({"kind": sample["kind"], "part": sample["part"], "tekken": tokens}) + "\n")
