/** What time it is in a city: browsers know the world's time zones, most of them by the name of a city. */

/** Cities whose zone has another's name. */
const OTHERS: Readonly<Record<string, string>> = {
  'America/Chicago': 'Austin Dallas Houston',
  'America/Los_Angeles': 'Seattle San_Francisco San_Diego Hollywood',
  'America/New_York': 'Boston Miami Washington Philadelphia Atlanta',
  'America/Sao_Paulo': 'Rio_de_Janeiro Brasilia',
  'America/Toronto': 'Montreal Ottawa',
  'Asia/Ho_Chi_Minh': 'Hanoi Saigon',
  'Asia/Kathmandu': 'Kathmandu',
  'Asia/Kolkata': 'Delhi New_Delhi Mumbai Bangalore Chennai Kolkata',
  'Asia/Shanghai': 'Beijing Shenzhen Guangzhou',
  'Asia/Tokyo': 'Kyoto Osaka',
  'Europe/Berlin': 'Munich Hamburg Cologne Frankfurt',
  'Europe/Kyiv': 'Kyiv',
  'Europe/Lisbon': 'Porto',
  'Europe/London': 'Edinburgh Manchester Oxford',
  'Europe/Madrid': 'Barcelona Seville Valencia',
  'Europe/Paris': 'Lyon Nice Marseille',
  'Europe/Rome': 'Milan Naples Venice Florence',
  'Europe/Zurich': 'Geneva Bern Basel',
};

/**
 * The time of day in a city, such as `14:05`.
 *
 * @throws Error if no time zone is known for it
 */
export function cityTime(city: string, now = new Date()): string {
  const zone = zones().get(toKey(city));
  if (zone === undefined) throw new Error(`the time zone of ${city} is not known here`);
  return new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit' }).format(now);
}

let known: ReadonlyMap<string, string> | undefined;

/** From a city to its zone. */
function zones(): ReadonlyMap<string, string> {
  const named = Intl.supportedValuesOf('timeZone').map((zone) => [toKey(zone.split('/').at(-1) ?? ''), zone] as const);
  const others = Object.entries(OTHERS).flatMap(([zone, cities]) =>
    cities.split(' ').map((city) => [toKey(city), zone] as const),
  );
  known ??= new Map([...named, ...others]);
  return known;
}

/** `São Paulo` and `sao_paulo` are one. */
function toKey(city: string): string {
  return city.normalize('NFD').replace(/\p{M}/gu, '').replaceAll('_', ' ').trim().toLowerCase();
}
