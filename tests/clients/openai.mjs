import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { CITY, KEY, MODEL, PIXEL, WEATHER } from './common.mjs';

export const packages = ['openai'];

const asked = (text) => [{ role: 'user', content: text }];
const parameters = z.toJSONSchema(WEATHER.arguments);
const { name, description } = WEATHER;
const tool = { type: 'function', function: { name, description, parameters } };
const runnable = { ...tool, function: { ...tool.function, parse: JSON.parse, function: WEATHER.run } };

const completions = (url) => new OpenAI({ apiKey: KEY, baseURL: url, maxRetries: 0 }).chat.completions;
const create = (request) => (url) => completions(url).create({ model: MODEL, messages: asked('Hello'), ...request });

export const cases = {
  plain: create({}),
  stream: async (url) => {
    await completions(url)
      .stream({ model: MODEL, messages: asked('Hello'), stream_options: { include_usage: true } })
      .done();
  },
  'every-neutral-option': create({
    audio: null,
    frequency_penalty: 0,
    logit_bias: {},
    logprobs: false,
    max_completion_tokens: 20,
    metadata: { customer: '7' },
    modalities: ['text'],
    n: 1,
    parallel_tool_calls: true,
    prediction: { type: 'content', content: 'Hello.' },
    presence_penalty: 0,
    prompt_cache_key: 'k',
    response_format: { type: 'text' },
    safety_identifier: 'someone',
    seed: -1,
    service_tier: 'auto',
    stop: null,
    store: false,
    stream: false,
    temperature: 1,
    tool_choice: 'auto',
    top_p: 1,
    user: 'someone',
    verbosity: 'medium',
  }),
  tools: async (url) => {
    await completions(url)
      .runTools({ model: MODEL, messages: asked('Rain in Oslo?'), tools: [runnable] })
      .done();
  },
  'tool-choice-named': create({ tools: [tool], tool_choice: { type: 'function', function: { name } } }),
  'tool-choice-allowed': create({
    tools: [tool, { type: 'function', function: { name: 'get_time', parameters: {} } }],
    tool_choice: {
      type: 'allowed_tools',
      allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name } }] },
    },
  }),
  'functions-of-old': create({ functions: [tool.function], function_call: { name } }),
  'structured-output': async (url) => {
    await completions(url).parse({
      model: MODEL,
      messages: asked('Where is it?'),
      response_format: zodResponseFormat(CITY, 'city'),
    });
  },
  'json-object': create({ response_format: { type: 'json_object' } }),
  reasoning: create({
    reasoning_effort: 'low',
    messages: [{ role: 'developer', content: 'Be brief.' }, ...asked('Hello')],
  }),
  'reasoning-none': create({ reasoning_effort: 'none' }),
  image: create({
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is it?' },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}`, detail: 'auto' } },
        ],
      },
    ],
  }),
  file: create({
    messages: [
      {
        role: 'user',
        content: [{ type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' } }],
      },
    ],
  }),
  'sound-out': create({ modalities: ['text', 'audio'], audio: { voice: 'alloy', format: 'wav' } }),
  logprobs: create({ logprobs: true, top_logprobs: 5 }),
  'two-answers': create({ n: 2 }),
  'web-search': create({ web_search_options: {} }),
  'custom-tool': create({ tools: [{ type: 'custom', custom: { name: 'shell', description: 'Runs a command.' } }] }),
  refusal: create({
    messages: [
      ...asked('How?'),
      {
        role: 'assistant',
        content: null,
        refusal: 'I will not say.',
        annotations: [],
        audio: null,
        function_call: null,
      },
      { role: 'user', content: 'Why?' },
    ],
  }),
};
