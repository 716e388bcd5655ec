import { AIMessage, HumanMessage, SystemMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { CITY, KEY, MODEL, PIXEL, WEATHER } from './common.mjs';

export const packages = ['@langchain/openai', '@langchain/core'];

const model = (url, more = {}) =>
  new ChatOpenAI({ model: MODEL, apiKey: KEY, configuration: { baseURL: url }, maxRetries: 0, ...more });
const weather = tool(WEATHER.run, { name: WEATHER.name, description: WEATHER.description, schema: WEATHER.arguments });

export const cases = {
  plain: (url) => model(url).invoke('Hello'),
  stream: async (url) => {
    await Array.fromAsync(await model(url).stream([new SystemMessage('Be brief.'), new HumanMessage('Hello')]));
  },
  options: (url) =>
    model(url, {
      temperature: 0,
      maxTokens: 20,
      stop: ['\n'],
      topP: 0.9,
      frequencyPenalty: 0.5,
      n: 1,
      user: 'someone',
    }).invoke('Hello'),
  tools: async (url) => {
    const bound = model(url).bindTools([weather]);
    const asked = new HumanMessage('Rain in Oslo?');
    const answer = await bound.invoke([asked]);
    await bound.invoke([asked, answer, await weather.invoke(answer.tool_calls[0])]);
  },
  'tools-strict-any': (url) =>
    model(url).bindTools([weather], { strict: true, tool_choice: 'any' }).invoke('Rain in Oslo?'),
  'structured-output': (url) => model(url).withStructuredOutput(CITY, { name: 'city' }).invoke('Where is it?'),
  'structured-output-by-call': (url) =>
    model(url).withStructuredOutput(CITY, { name: 'city', method: 'functionCalling' }).invoke('Where is it?'),
  'structured-output-json-mode': (url) =>
    model(url).withStructuredOutput(CITY, { method: 'jsonMode' }).invoke('Where is it?'),
  image: (url) =>
    model(url).invoke([
      new HumanMessage({
        content: [
          { type: 'text', text: 'What is it?' },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}` } },
        ],
      }),
    ]),
  reasoning: (url) =>
    model(url, { model: 'o4-mini', reasoning: { effort: 'low' }, useResponsesApi: false }).invoke([
      new SystemMessage('Be brief.'),
      new HumanMessage('Hello'),
    ]),
  'turns-with-names': (url) =>
    model(url).invoke([
      new HumanMessage({ content: 'Hello', name: 'ann' }),
      new AIMessage({ content: 'Hello.', name: 'helper' }),
      new HumanMessage('Bye'),
    ]),
  logprobs: (url) => model(url, { logprobs: true, topLogprobs: 2 }).invoke('Hello'),
};
