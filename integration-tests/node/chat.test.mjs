// The official OpenAI SDK for Node: questions, streams, tools, structured output and images, by each vendor.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { NAMES, ROUTES, connect, user, vendors } from './support.mjs';

const client = connect();
const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

const Weather = z.object({ city: z.string(), unit: z.enum(['celsius', 'fahrenheit']) });
const Clock = z.object({ city: z.string() });
const Solution = z.object({
  steps: z.array(z.object({ explanation: z.string(), result: z.number() })),
  answer: z.string(),
  certain: z.boolean(),
});

const FUNCTIONS = {
  get_weather: ({ city, unit }) => `12 degrees ${unit} in ${city}`,
  get_time: ({ city }) => `noon in ${city}`,
};
const TOOLS = [
  ['get_weather', Weather],
  ['get_time', Clock],
].map(([name, schema]) => ({ type: 'function', function: { name, parameters: z.toJSONSchema(schema) } }));

const textOf = (chunks) =>
  chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta.content ?? '')).join('');

const callAll = (message) =>
  message.tool_calls.map((call) => ({
    role: 'tool',
    tool_call_id: call.id,
    content: FUNCTIONS[call.function.name](JSON.parse(call.function.arguments)),
  }));

/**
 * A message of the stream helper as the next request's history. It carries what the SDK has added (`parsed`), which
 * OpenAI refuses from anybody; so an application that talks to OpenAI leaves that out.
 */
function echoed({ role, content, tool_calls: calls, ...added }, model) {
  if (['anthropic', 'gemini'].includes(model)) return { role, content, tool_calls: calls, ...added };
  const plain = ({ id, type, function: call }) => ({
    id,
    type,
    function: { name: call.name, arguments: call.arguments },
  });
  return { role, content, tool_calls: calls.map(plain) };
}

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

/** A test for each route, in the end of which no vendor may have a complaint. */
function byEach(name, body) {
  for (const route of ROUTES) {
    test(`${name}: ${route.model}, answered by ${route.vendor}`, async () => {
      await vendors.fail(route);
      await body({ ...route, says: `This is ${NAMES[route.vendor]}.` });
      await vendors.blameless();
    });
  }
}

byEach('a question is answered', async ({ model, vendor, failing, says }) => {
  const messages = [{ role: 'system', content: 'Be brief.' }, ...user('How are you?')];
  const { data, response } = await client.chat.completions.create({ model, messages }).withResponse();
  assert.equal(data.object, 'chat.completion');
  const [choice, ...others] = data.choices;
  assert.deepEqual(others, []);
  assert.equal(choice.message.role, 'assistant');
  assert.equal(choice.message.content, `${says} You said: "How are you?".`);
  assert.equal(choice.finish_reason, 'stop');
  assert.deepEqual([data.usage.prompt_tokens, data.usage.completion_tokens, data.usage.total_tokens], [5, 8, 13]);
  assert.equal(response.headers.get('x-sluice-provider'), vendor);
  assert.equal(response.headers.get('x-sluice-failed') ?? '', failing.map((name) => `${name};429`).join(', '));
});

byEach('a streamed answer is the plain one in pieces', async ({ model }) => {
  const request = { model, messages: user('Count the words of this question') };
  const plain = await client.chat.completions.create(request);
  const chunks = await collect(await client.chat.completions.create({ ...request, stream: true }));
  assert.equal(textOf(chunks), plain.choices[0].message.content);
  assert.ok(chunks.length > 5);
  assert.equal(chunks[0].choices[0].delta.role, 'assistant');
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
  assert.ok(chunks.every((chunk) => chunk.object === 'chat.completion.chunk' && !chunk.usage));
});

byEach('a stream ends with the usage when asked', async ({ model }) => {
  const request = { model, messages: user('What does this cost?') };
  const plain = await client.chat.completions.create(request);
  const chunks = await collect(
    await client.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } }),
  );
  const last = chunks.pop();
  assert.deepEqual(last.choices, []);
  assert.deepEqual(last.usage, plain.usage);
  assert.ok(chunks.every((chunk) => chunk.usage === null && chunk.choices.length === 1));
});

byEach('the stream helper puts the plain answer together', async ({ model }) => {
  const request = { model, messages: user('Put me together'), stream_options: { include_usage: true } };
  const plain = await client.chat.completions.create({ model, messages: request.messages });
  let deltas = '';
  const stream = client.chat.completions.stream(request).on('content', (delta) => (deltas += delta));
  const final = await stream.finalChatCompletion();
  assert.equal(deltas, plain.choices[0].message.content);
  assert.equal(final.choices[0].message.content, plain.choices[0].message.content);
  assert.equal(final.choices[0].finish_reason, 'stop');
  assert.equal((await stream.totalUsage()).total_tokens, plain.usage.total_tokens);
});

byEach('a tool is called and its result answered', async ({ model, says }) => {
  const messages = user('What is the weather? Use get_weather.');
  const first = await client.chat.completions.create({ model, messages, tools: TOOLS });
  assert.equal(first.choices[0].finish_reason, 'tool_calls');
  const { message } = first.choices[0];
  assert.deepEqual(message.tool_calls.map((call) => [call.type, call.function.name]), [['function', 'get_weather']]);
  messages.push(message, ...callAll(message));
  const second = await client.chat.completions.create({ model, messages, tools: TOOLS });
  assert.equal(second.choices[0].message.content, `${says} The tools returned: "12 degrees celsius in city".`);
});

byEach('parallel calls are streamed, put together and answered', async ({ model }) => {
  const messages = user('Both get_time and get_weather, please.');
  const done = [];
  const stream = client.chat.completions
    .stream({ model, messages, tools: TOOLS })
    .on('tool_calls.function.arguments.done', (call) => done.push([call.index, call.name]));
  const { choices } = await stream.finalChatCompletion();
  const calls = choices[0].message.tool_calls;
  assert.deepEqual(done, [[0, 'get_weather'], [1, 'get_time']]);
  assert.equal(choices[0].finish_reason, 'tool_calls');
  assert.equal(new Set(calls.map((call) => call.id)).size, 2);
  messages.push(echoed(choices[0].message, model), ...callAll(choices[0].message));
  const answer = await client.chat.completions.create({ model, messages, tools: TOOLS });
  assert.ok(answer.choices[0].message.content.endsWith('"12 degrees celsius in city", "noon in city".'));
});

for (const stream of [false, true]) {
  byEach(`the tool runner goes through the whole loop, ${stream ? 'streamed' : 'plain'}`, async ({ model, says }) => {
    const called = [];
    const tool = (name, schema) => ({
      type: 'function',
      function: {
        name,
        description: 'Knows',
        parameters: z.toJSONSchema(schema),
        parse: JSON.parse,
        function: (given) => {
          called.push(name);
          return FUNCTIONS[name](given);
        },
      },
    });
    const runner = client.chat.completions.runTools({
      model,
      stream,
      messages: user('Both get_time and get_weather, please.'),
      tools: [tool('get_weather', Weather), tool('get_time', Clock)],
    });
    const content = await runner.finalContent();
    assert.deepEqual(called.toSorted(), ['get_time', 'get_weather']);
    assert.equal(content, `${says} The tools returned: "12 degrees celsius in city", "noon in city".`);
  });
}

byEach('structured output is parsed', async ({ model }) => {
  const expected = { steps: [{ explanation: 'explanation', result: 1.5 }], answer: 'answer', certain: true };
  const request = { model, messages: user('Solve it'), response_format: zodResponseFormat(Solution, 'solution') };
  const plain = await client.chat.completions.parse(request);
  assert.deepEqual(plain.choices[0].message.parsed, expected);
  const streamed = await client.chat.completions.stream(request).finalChatCompletion();
  assert.deepEqual(streamed.choices[0].message.parsed, expected);
});

byEach('the arguments of strict tools are parsed', async ({ model }) => {
  const tools = [zodFunction({ name: 'get_weather', parameters: Weather })];
  const answer = await client.chat.completions.parse({ model, messages: user('get_weather'), tools });
  const [call] = answer.choices[0].message.tool_calls;
  assert.deepEqual(call.function.parsed_arguments, { city: 'city', unit: 'celsius' });
});

byEach('images are seen by address and as data', async ({ model }) => {
  const images = [`data:image/png;base64,${PIXEL}`, 'https://example.com/cat.png'];
  const parts = images.map((url) => ({ type: 'image_url', image_url: { url } }));
  const messages = user([{ type: 'text', text: 'What is this?' }, ...parts]);
  const answer = await client.chat.completions.create({ model, messages });
  const bytes = Buffer.from(PIXEL, 'base64').length;
  const seen = `I see 2 images, image/png, ${bytes} bytes; ${images[1]}.`;
  assert.ok(answer.choices[0].message.content.endsWith(seen));
});

byEach('reasoning is asked for, shown and counted', async ({ model, vendor }) => {
  const request = { model: `${model}-reasoning`, messages: user('Think'), reasoning_effort: 'high' };
  const answer = await client.chat.completions.create(request);
  assert.equal(answer.usage.completion_tokens_details.reasoning_tokens, 7);
  // OpenAI itself shows none of it in this API.
  const shown = vendor === 'openai' ? undefined : 'Thinking about the question step by step.';
  assert.equal(answer.choices[0].message.reasoning_content, shown);
});

byEach('a long conversation is carried on', async ({ model, says }) => {
  const messages = [{ role: 'developer', content: 'Answer politely.' }];
  for (let turn = 0; turn < 16; turn += 1) {
    messages.push(...user(`Question ${turn}: 何, 🌊?`));
    const answer = await client.chat.completions.create({ model, messages });
    assert.equal(answer.choices[0].message.content, `${says} You said: "Question ${turn}: 何, 🌊?".`);
    messages.push(answer.choices[0].message);
  }
});
