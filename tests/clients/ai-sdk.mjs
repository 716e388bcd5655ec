import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, isStepCount, Output, streamText, tool } from 'ai';
import { CITY, KEY, MODEL, PIXEL, WEATHER } from './common.mjs';

export const packages = ['ai', '@ai-sdk/openai-compatible'];

const model = (url, more = {}) => createOpenAICompatible({ name: 'local', apiKey: KEY, baseURL: url, ...more })(MODEL);
const tools = {
  [WEATHER.name]: tool({ description: WEATHER.description, inputSchema: WEATHER.arguments, execute: WEATHER.run }),
};
const generate = (request, settings) => (url) =>
  generateText({ model: model(url, settings), prompt: 'Hello', maxRetries: 0, ...request });

export const cases = {
  plain: generate({}),
  stream: async (url) => {
    await streamText({
      model: model(url, { includeUsage: true }),
      system: 'Be brief.',
      prompt: 'Hello',
    }).consumeStream();
  },
  options: generate({
    maxOutputTokens: 20,
    temperature: 0,
    topP: 0.9,
    presencePenalty: 0.5,
    frequencyPenalty: 0.5,
    stopSequences: ['\n'],
    seed: 7,
    providerOptions: { local: { user: 'someone' } },
  }),
  tools: generate({ tools, prompt: 'Rain in Oslo?', stopWhen: isStepCount(2) }),
  'tool-choice-named': generate({ tools, toolChoice: { type: 'tool', toolName: WEATHER.name } }),
  'structured-output': generate(
    { output: Output.object({ schema: CITY }), prompt: 'Where is it?' },
    { supportsStructuredOutputs: true },
  ),
  'structured-output-without-schema': generate({ output: Output.object({ schema: CITY }), prompt: 'Where is it?' }),
  image: generate({
    prompt: undefined,
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is it?' },
          { type: 'image', image: Buffer.from(PIXEL, 'base64'), mediaType: 'image/png' },
        ],
      },
    ],
  }),
  reasoning: generate({ reasoning: 'low' }),
  'reasoning-and-tools': generate({ tools, prompt: 'Rain in Oslo?', stopWhen: isStepCount(2), reasoning: 'high' }),
  'reasoning-in-history': generate({
    prompt: undefined,
    messages: [
      { role: 'user', content: '2+2?' },
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'Two and two.' },
          { type: 'text', text: '4' },
        ],
      },
      { role: 'user', content: '3+3?' },
    ],
  }),
};
