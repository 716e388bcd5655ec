/** A server that speaks OpenAI's chat completions just well enough for clients to be content, and keeps what they send. */

import { createServer } from 'node:http';

const ANSWER = { city: 'Oslo', population: 709037 };
const USAGE = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 };

/**
 * @param {(url: string, bodies: object[]) => Promise<void>} use gets the address to talk to, and the bodies as they come
 */
export async function serve(use) {
  const bodies = [];
  const server = createServer(async (request, response) => {
    const pieces = await Array.fromAsync(request);
    const body = JSON.parse(Buffer.concat(pieces).toString());
    bodies.push(body);
    const message = answer(body);
    if (body.stream) {
      response.setHeader('content-type', 'text/event-stream');
      response.end(events(message));
    } else {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(completion(message)));
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  try {
    await use(`http://127.0.0.1:${server.address().port}/v1`, bodies);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** A call where a tool is offered and none was called yet; JSON where it is asked for; else a word. */
function answer(body) {
  const called = body.messages.some((message) => message.role === 'tool');
  const tool = body.tools?.find((tool) => tool.type === 'function')?.function;
  const thought = body.reasoning_effort ? { reasoning_content: 'The user wants facts.' } : {};
  if (tool && !called && body.tool_choice !== 'none') {
    const given = tool.parameters?.properties?.population ? ANSWER : { city: 'Oslo' };
    const call = { id: 'call_1', type: 'function', function: { name: tool.name, arguments: JSON.stringify(given) } };
    return { role: 'assistant', content: null, ...thought, tool_calls: [call] };
  }
  const json = body.response_format && body.response_format.type !== 'text';
  return { role: 'assistant', content: json ? JSON.stringify(ANSWER) : 'Hello.', ...thought };
}

function completion(message) {
  const finish_reason = message.tool_calls ? 'tool_calls' : 'stop';
  const choices = [{ index: 0, message, finish_reason, logprobs: null }];
  return { id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'local', choices, usage: USAGE };
}

function events({ tool_calls, ...message }) {
  const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'local' };
  const calls = tool_calls?.map((call, index) => ({ index, ...call }));
  const delta = calls ? { ...message, tool_calls: calls } : message;
  const chunks = [
    { ...head, choices: [{ index: 0, delta, finish_reason: null }] },
    { ...head, choices: [{ index: 0, delta: {}, finish_reason: calls ? 'tool_calls' : 'stop' }] },
    { ...head, choices: [], usage: USAGE },
  ];
  return `${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`;
}
