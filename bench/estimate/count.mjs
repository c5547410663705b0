// Tokens of each sample by the tokenizers that npm has: node count.mjs SAMPLES OUT
// Each line of OUT holds, for each tokenizer, the bytes of each token of a sample to fit, or the number of tokens of one to judge.
import { createReadStream, createWriteStream, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import llama3 from "llama3-tokenizer-js";
import { Tiktoken } from "tiktoken/lite";

const require = createRequire(import.meta.url);
const tiktoken = (file) => {
  const data = JSON.parse(readFileSync(require.resolve(file)));
  const tokenizer = new Tiktoken(data.bpe_ranks, data.special_tokens, data.pat_str);
  const lengths = new Map();
  const length = (token) => {
    if (!lengths.has(token)) lengths.set(token, tokenizer.decode_single_token_bytes(token).length);
    return lengths.get(token);
  };
  return (text) => Array.from(tokenizer.encode(text, [], []), length);
};

const tokenizers = {
  o200k: tiktoken("tiktoken/encoders/o200k_base.json"),
  cl100k: tiktoken("tiktoken/encoders/cl100k_base.json"),
  llama3: (text) => llama3.encode(text, { bos: false, eos: false }).map((token) => llama3.vocabById[token].length),
  claude2: tiktoken("@anthropic-ai/tokenizer/claude.json"),
};

const [samples, out] = process.argv.slice(2);
const writer = createWriteStream(out);
for await (const line of createInterface({ input: createReadStream(samples) })) {
  const { kind, part, text } = JSON.parse(line);
  const row = { kind, part };
  for (const [name, tokenize] of Object.entries(tokenizers)) {
    // Anthropic's own package counts the text in this form.
    const judged = part === "test" && name === "claude2" ? text.normalize("NFKC") : text;
    const lengths = tokenize(judged);
    row[name] = part === "fit" ? lengths : lengths.length;
  }
  writer.write(JSON.stringify(row) + "\n");
}
writer.end();
