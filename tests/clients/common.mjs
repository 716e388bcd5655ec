/** What all clients are asked with. */

import { z } from 'zod';

export const KEY = 'none';
export const MODEL = 'local';

/** One white pixel. */
export const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mP8/x8AAwMCAO+ip1sAAAAASUVORK5CYII=';

export const CITY = z.object({ city: z.string(), population: z.number().int() });

export const WEATHER = {
  name: 'get_weather',
  description: 'The weather in a city.',
  arguments: z.object({ city: z.string().describe("The city's name") }),
  run: ({ city }) => `It rains in ${city}.`,
};
