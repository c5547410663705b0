// The official OpenAI SDK for Node: errors as it raises them, retries, timeouts and cancelled requests.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import OpenAI from 'openai';
import { VENDORS, connect, user, vendors } from './support.mjs';

const client = connect();
const chat = (model, more = {}, options = {}) =>
  client.chat.completions.create({ model, messages: user('A long enough question'), ...more }, options);

beforeEach(() => vendors.reset());

function byEach(name, body) {
  for (const vendor of VENDORS) test(`${name}: ${vendor}`, () => body(vendor));
}

/** The error that the promise ends in, which must be of that class. */
async function raised(kind, promise) {
  const error = await promise.then(
    () => assert.fail('no error was raised'),
    (error) => error,
  );
  assert.ok(error instanceof kind, `${error?.constructor?.name}: ${error?.message}`);
  return error;
}

/** Reads a stream to its end; what came before an error is in `seen`. */
async function read(stream, seen = []) {
  for await (const chunk of await stream) seen.push(chunk);
  return seen;
}

test('what a vendor lacks is refused by name', async () => {
  const error = await raised(OpenAI.BadRequestError, chat('anthropic', { seed: 7 }));
  assert.deepEqual([error.status, error.param, error.code], [400, 'seed', 'unsupported_parameter']);
  assert.equal(error.type, 'invalid_request_error');
  assert.deepEqual(await vendors.records(), []);
});

byEach('a malformed request is refused by name', async (vendor) => {
  for (const stream of [false, true]) {
    const error = await raised(OpenAI.BadRequestError, chat(vendor, { stream, messages: user(5) }));
    assert.deepEqual([error.param, error.code], ['messages[0].content', 'invalid_type']);
  }
});

test('an unknown model is not found', async () => {
  const error = await raised(OpenAI.NotFoundError, chat('gpt-nonexistent'));
  assert.deepEqual([error.param, error.code], ['model', 'model_not_found']);
});

test('an unknown key is refused', async () => {
  const stranger = connect({ apiKey: 'a-foreign-key' });
  const request = { model: 'openai', messages: user('Hello') };
  const error = await raised(OpenAI.AuthenticationError, stranger.chat.completions.create(request));
  assert.deepEqual([error.status, error.code], [401, 'invalid_api_key']);
});

byEach('a rate limit says when to come back', async (vendor) => {
  await vendors.script(vendor, { kind: 'status', status: 429, headers: [['retry-after', '7']] });
  const error = await raised(OpenAI.RateLimitError, chat(vendor));
  assert.equal(error.headers.get('retry-after'), '7');
  assert.equal((await vendors.records()).length, 1);
});

byEach('the SDK comes back when the rate limit says', async (vendor) => {
  await vendors.script(vendor, { kind: 'status', status: 429, headers: [['retry-after', '1']] });
  await chat(vendor, {}, { maxRetries: 1 });
  const [first, second] = await vendors.records();
  assert.ok(second.arrived_ms - first.arrived_ms > 950);
});

byEach('an ailing vendor is an error of the server', async (vendor) => {
  await vendors.script(vendor, { kind: 'status', status: 503 }, 2);
  for (const stream of [false, true]) {
    const error = await raised(OpenAI.InternalServerError, chat(vendor, { stream }));
    assert.equal(error.status, 503);
    assert.equal(error.headers.get('x-sluice-provider'), vendor);
  }
  await chat(vendor);
});

byEach('the SDK tries again when a vendor was ill', async (vendor) => {
  await vendors.script(vendor, { kind: 'status', status: 500 });
  await chat(vendor, {}, { maxRetries: 1 });
  assert.equal((await vendors.records()).length, 2);
});

byEach('an error in the middle of a stream is raised', async (vendor) => {
  await vendors.script(vendor, { kind: 'stream_error', after_events: 5, status: 503 }, 2);
  const seen = [];
  const error = await raised(OpenAI.APIError, read(chat(vendor, { stream: true }), seen));
  assert.equal(error.status, undefined);
  // Within one dialect the vendor's own words pass.
  assert.equal(error.type, vendor === 'openai' ? 'service_unavailable_error' : 'server_error');
  assert.ok(seen.some((chunk) => chunk.choices[0].delta.content));
  assert.ok(seen.every((chunk) => chunk.choices[0].finish_reason === null));
  const helper = client.chat.completions.stream({ model: vendor, messages: user('A long enough question') });
  await raised(OpenAI.APIError, helper.finalChatCompletion());
});

byEach('a stream that begins with an error is an error with a status', async (vendor) => {
  await vendors.script(vendor, { kind: 'stream_error', after_events: 0, status: 429 });
  await raised(OpenAI.RateLimitError, chat(vendor, { stream: true }));
});

byEach('a stream that ends too soon is an error', async (vendor) => {
  await vendors.script(vendor, { kind: 'cut', after_events: 4, how: 'end' });
  const error = await raised(OpenAI.APIError, read(chat(vendor, { stream: true })));
  assert.equal(error.code, 'stream_truncated');
});

byEach('a stream whose connection breaks is an error', async (vendor) => {
  await vendors.script(vendor, { kind: 'cut', after_events: 4, how: 'reset' });
  const seen = [];
  await raised(Error, read(chat(vendor, { stream: true }), seen));
  assert.ok(seen.every((chunk) => chunk.choices[0].finish_reason === null));
});

byEach('a client that runs out of patience gets its timeout', async (vendor) => {
  await vendors.script(vendor, { kind: 'hang' }, 2);
  for (const stream of [false, true]) {
    await raised(OpenAI.APIConnectionTimeoutError, chat(vendor, { stream }, { timeout: 300 }));
    assert.equal((await vendors.disconnected(vendor)).answer.status, null);
  }
  await chat(vendor);
});

byEach('a stream that is left early ends at the vendor', async (vendor) => {
  const leave = {
    break: async (stream) => {
      for await (const _ of stream) break;
    },
    abort: async (stream) => {
      for await (const _ of stream) stream.controller.abort();
    },
  };
  for (const [how, body] of Object.entries(leave)) {
    await vendors.script(vendor, { kind: 'slow', gap_ms: 50 });
    await body(await chat(vendor, { stream: true, messages: user('word '.repeat(400)) }));
    const record = await vendors.disconnected(vendor);
    assert.ok(record.disconnected.after_events < 100, how);
    await vendors.reset();
  }
  await chat(vendor);
});

byEach('a request that is aborted ends at the vendor', async (vendor) => {
  await vendors.script(vendor, { kind: 'hang' });
  const controller = new AbortController();
  const request = raised(OpenAI.APIUserAbortError, chat(vendor, {}, { signal: controller.signal }));
  await vendors.arrived(vendor);
  controller.abort();
  await request;
  await vendors.disconnected(vendor);
});

test('many questions at once get their own answers', async () => {
  const ask = async (number) => {
    const request = { model: VENDORS[number % 3], messages: user(`Question ${number}`) };
    const content =
      number % 2
        ? await client.chat.completions.stream(request).finalContent()
        : (await client.chat.completions.create(request)).choices[0].message.content;
    assert.ok(content.endsWith(`You said: "Question ${number}".`), content);
  };
  await Promise.all(Array.from({ length: 90 }, (_, number) => ask(number)));
  assert.equal((await vendors.records()).length, 90);
});
