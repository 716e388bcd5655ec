/** The tools that the page lends to a model: small, local and harmless. ember was trained to call tools of these names. */

import type { RunnableTool } from 'inglenook';
import { calculate } from './arithmetic.js';
import { cityTime } from './city-time.js';

/** Ready to be offered. */
export const TOOLS: readonly RunnableTool[] = [
  {
    type: 'function',
    function: {
      name: 'get_time',
      description: 'Get the current time in a city',
      parameters: objectOf({ city: { type: 'string', description: 'Name of the city' } }),
      function: ({ city }) => ({ time: cityTime(String(city)) }),
    },
  },
  {
    type: 'function',
    function: {
      name: 'calculate',
      description: 'Evaluate an arithmetic expression',
      parameters: objectOf({ expression: { type: 'string', description: 'The expression' } }),
      function: ({ expression }) => ({ result: calculate(String(expression)) }),
    },
  },
  {
    type: 'function',
    function: {
      name: 'roll_dice',
      description: 'Roll a dice with a number of sides',
      parameters: objectOf({ sides: { type: 'integer', description: 'Number of sides' } }),
      function: ({ sides }) => ({ result: rollDice(Number(sides)) }),
    },
  },
];

/** Questions that these tools answer. */
export const TOOL_IDEAS = ['What time is it in Tokyo?', 'What is 318 * 47?', 'Roll a dice with 20 sides.'];

function objectOf(properties: Readonly<Record<string, object>>): Record<string, unknown> {
  return { type: 'object', properties, required: Object.keys(properties) };
}

/** From 1 to the number of sides, each as likely as the others. */
export function rollDice(sides: number, random: () => number = Math.random): number {
  if (!Number.isSafeInteger(sides) || sides < 1) throw new Error('a dice has a whole number of sides, at least one');
  return 1 + Math.floor(random() * sides);
}
