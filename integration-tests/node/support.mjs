// What the tests stand on: a client of the gateway, and the mock vendors' control API.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import OpenAI from 'openai';

const { GATEWAY, CLIENT_KEY, CONTROL } = process.env;

export const VENDORS = ['openai', 'anthropic', 'gemini'];
export const NAMES = { openai: 'OpenAI', anthropic: 'Anthropic', gemini: 'Gemini' };

// Each vendor alone, and `any`, where those before the vendor are made to fail.
export const ROUTES = [
  ...VENDORS.map((vendor) => ({ model: vendor, vendor, failing: [] })),
  ...VENDORS.map((vendor, at) => ({ model: 'any', vendor, failing: VENDORS.slice(0, at) })),
];

/** A client with nothing changed but its address and key. */
export function connect(options = {}) {
  return new OpenAI({
    baseURL: `${GATEWAY}/v1`,
    apiKey: CLIENT_KEY,
    maxRetries: 0,
    timeout: 20_000,
    ...options,
  });
}

export const user = (content) => [{ role: 'user', content }];

async function control(path, body) {
  const options = { method: 'POST', body: JSON.stringify(body ?? {}), signal: AbortSignal.timeout(10_000) };
  const response = await fetch(CONTROL + path, path === '/records' ? {} : options);
  assert.equal(response.status, 200, path);
  return response.json();
}

export const vendors = {
  script: (vendor, behaviour, times = 1) => control('/script', { vendor, behaviour, times }),
  reset: () => control('/reset'),

  async records(vendor) {
    const { records } = await control('/records');
    return records.filter((record) => !vendor || record.instance === vendor);
  },

  /** The vendor's latest request, once the vendor has noticed that nobody waits for its answer. */
  async disconnected(vendor) {
    for (const until = Date.now() + 10_000; Date.now() < until; await pause(20)) {
      const record = (await this.records(vendor)).at(-1);
      if (record?.disconnected) return record;
    }
    assert.fail('the vendor was never told');
  },

  async arrived(vendor) {
    for (const until = Date.now() + 10_000; Date.now() < until; await pause(20)) {
      if ((await this.records(vendor)).length) return;
    }
    assert.fail('nothing has arrived');
  },

  /** Makes the vendors before the route's own fail, with a status for which Envoy ejects nobody. */
  async fail(route) {
    await this.reset();
    for (const vendor of route.failing) await this.script(vendor, { kind: 'status', status: 429 }, 0);
  },

  /** Nothing that a vendor would refuse or should not know has arrived. */
  async blameless() {
    for (const record of await this.records()) {
      assert.equal(record.fault, null);
      assert.deepEqual(record.leaked_headers, []);
      assert.ok(!JSON.stringify(record.headers).includes(CLIENT_KEY));
    }
  },
};
