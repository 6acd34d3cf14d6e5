// SPDX-License-Identifier: Apache-2.0
// The decoder of the AWS SDK for JavaScript, as its clients use it: an asynchronous iterator over
// the chunks of a body. tests/bench/decoder.py says how it is spoken to.

import { EventStreamMarshaller } from "@smithy/eventstream-serde-universal";
import { fromUtf8, toUtf8 } from "@smithy/util-utf8";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const answer = readFileSync(process.argv[2]);
const size = Number(process.argv[3]);
const marshaller = new EventStreamMarshaller({ utf8Encoder: toUtf8, utf8Decoder: fromUtf8 });

async function* chunks() {
  for (let at = 0; at < answer.length; at += size) {
    yield answer.subarray(at, at + size);
  }
}

async function pass() {
  let [frames, headers, payload] = [0, 0, 0];
  for await (const event of marshaller.deserialize(chunks(), async (event) => event)) {
    const [message] = Object.values(event);
    frames++;
    headers += Object.keys(message.headers).length;
    payload += message.body.length;
  }
  return [frames, headers, payload];
}

for await (const line of createInterface({ input: process.stdin })) {
  const passes = Number(line);
  let found;
  let ns = Infinity;
  for (let i = 0; i < passes; i++) {
    const before = process.hrtime.bigint();
    found = await pass();
    ns = Math.min(ns, Number(process.hrtime.bigint() - before));
  }
  console.log(...found, "-", ns);
}
