"""Tools that the training text offers, and what users ask of them.

An intent is one thing a tool can do, with several names, descriptions and parameter names, so that the model learns to read the
signature rather than to remember it. `UNSEEN` intents occur only in the evaluation.
"""

from dataclasses import dataclass, field

from words import CITIES, NAMES, NOUNS

COUNTRIES = "France Germany Italy Spain Japan China Brazil Canada Mexico India Egypt Kenya Norway Sweden Poland Greece Turkey Peru Chile Cuba".split()
LANGUAGES = "French German Italian Spanish Japanese Chinese Portuguese Hindi Arabic Swahili Norwegian Swedish Polish Greek Turkish Dutch Korean".split()
CURRENCIES = "USD EUR GBP JPY CHF CAD AUD INR CNY SEK NOK BRL".split()
ROOMS = "kitchen bedroom bathroom hall office garage garden cellar attic nursery".split() + ["living room", "dining room", "guest room"]
ADJECTIVES = "red blue old new small big round wooden quick quiet happy golden silver cheap fresh warm cold local famous modern".split()
VERBS = "buy sell find fix clean paint call feed water wash order return bring visit check send".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday today tomorrow tonight".split()


def pick(items):
    """A generator of values that draws from `items`."""
    return lambda rng: rng.choice(items)


def whole(low, high):
    """A generator of whole numbers."""
    return lambda rng: rng.randint(low, high)


def clock(rng):
    """A time of day: `7:30`, `18:05`, `9 pm`."""
    if rng.random() < 0.3:
        return f"{rng.randint(1, 12)} {rng.choice(['am', 'pm'])}"
    return f"{rng.randint(0, 23)}:{rng.choice([0, 5, 10, 15, 20, 30, 40, 45, 50]):02d}"


def phrase(rng):
    """One to four plain words."""
    kind = rng.random()
    noun = rng.choice(NOUNS)
    if kind < 0.35:
        return noun
    if kind < 0.6:
        return f"{rng.choice(ADJECTIVES)} {noun}"
    if kind < 0.8:
        return f"{noun} {rng.choice(NOUNS)}"
    return f"{rng.choice(VERBS)} the {rng.choice(ADJECTIVES)} {noun}"


def errand(rng):
    """Something to be done: `buy the milk`, `call Anna`."""
    if rng.random() < 0.3:
        return f"call {rng.choice(NAMES)}"
    return f"{rng.choice(VERBS)} the {rng.choice(NOUNS)}"


def saying(rng):
    """A short message that one person sends another."""
    return rng.choice(["I am late", "see you soon", "happy birthday", "dinner is ready", "I will be home at 6", "where are you", "the meeting is over",
                       "thank you for the " + rng.choice(NOUNS), "bring the " + rng.choice(NOUNS), "I found your " + rng.choice(NOUNS),
                       "please feed the " + rng.choice(NOUNS), "good luck with the " + rng.choice(NOUNS)])


def sum_text(rng):
    """A small arithmetic expression."""
    return f"{rng.randint(2, 999)} {rng.choice('+-*/')} {rng.randint(2, 99)}"


def ticker(rng):
    """A made-up stock symbol."""
    return "".join(rng.choice("ABCDEFGHIKLMNOPRSTUVX") for _ in range(rng.randint(3, 4)))


def title(rng):
    """A made-up title of a song, film or book."""
    return f"{rng.choice(ADJECTIVES).capitalize()} {rng.choice(NOUNS).capitalize()}"


def city(rng):
    """A city, sometimes a made-up one, so that names are copied and not remembered."""
    if rng.random() < 0.75:
        return rng.choice(CITIES)
    return (rng.choice("bel car dor el fan gar hol kin lan mar nor or pel ran sal tor ul ven wil yor".split())
            + rng.choice("a e i o u".split()) + rng.choice("bury ford ton ville stad burg mouth dale ham ly ra na mo".split())).capitalize()


def person(rng):
    """A first name."""
    return rng.choice(NAMES)


@dataclass
class Param:
    """A parameter: its possible names, JSON type, value generator, description, and its allowed values if they are listed."""
    names: list
    kind: str
    value: object
    about: str
    choices: list = None


@dataclass
class Intent:
    """One thing a tool can do. `asks` mention each parameter as `{p0}`, `{p1}`, …; `results` pairs what a tool returns with the answer
    made from it, both over the same slots and `{r0}`, drawn from `draws`."""
    names: list
    abouts: list
    params: list
    asks: list
    asks_eval: list
    results: list = field(default_factory=list)
    draws: list = field(default_factory=list)


CITY = Param(["city", "location", "place", "town"], "string", city, "Name of the city")
SKY = ["sunny", "cloudy", "rainy", "windy", "snowy", "foggy", "clear", "stormy"]

INTENTS = [
    Intent(["get_weather", "weather", "get_current_weather", "current_weather", "weather_lookup", "fetch_weather"],
           ["Get the weather in a city", "Current weather of a place", "Look up the weather", "Returns the current weather"], [CITY],
           ["What is the weather in {p0}?", "How is the weather in {p0}?", "What's the weather like in {p0}?", "Is it raining in {p0}?", "Weather in {p0}?",
            "weather {p0}", "Tell me the weather in {p0}.", "How warm is it in {p0}?", "What is the temperature in {p0}?", "Do I need an umbrella in {p0}?",
            "What's the weather in {p0} today?", "Is it cold in {p0}?", "What is the weather like in {p0} right now?", "How will the weather be in {p0}?", "Check the weather in {p0}.", "How is the weather in {p0} now?"],
           ["Can you check the weather in {p0}?", "What is the current weather in {p0}?", "How is the weather today in {p0}?"],
           [('{{"temperature": {r0}, "condition": "{r1}"}}', "It is {r0} degrees and {r1} in {p0}."), ("{r1}, {r0} degrees", "It is {r0} degrees and {r1} in {p0}."),
            ('{{"city": "{p0}", "temp": {r0}, "sky": "{r1}"}}', "It is {r0} degrees and {r1} in {p0}."),
            ('{{"temperature": {r0}}}', "It is {r0} degrees in {p0}.")], [whole(-9, 38), pick(SKY)]),
    Intent(["get_weather", "weather", "get_current_weather", "forecast", "get_forecast"],
           ["Get the weather in a city", "Weather in the unit asked for", "Current weather"],
           [CITY, Param(["unit", "units"], "string", pick(["celsius", "fahrenheit"]), "Unit of temperature", ["celsius", "fahrenheit"])],
           ["What is the weather in {p0} in {p1}?", "How warm is it in {p0} in {p1}?", "Weather in {p0}, {p1} please.", "What's the temperature in {p0} in degrees {p1}?", "What is the weather in {p0}, in {p1}?", "Current weather in {p0} in {p1}?",
            "Tell me the weather in {p0} in {p1}."],
           ["Can you check the weather in {p0} in {p1}?", "What is the current weather in {p0}, in {p1}?"],
           [('{{"temperature": {r0}, "condition": "{r1}"}}', "It is {r0} degrees {p1} and {r1} in {p0}.")], [whole(-9, 90), pick(SKY)]),
    Intent(["get_time", "current_time", "time", "get_current_time", "clock", "time_in_city"], ["Get the current time in a city", "Local time of a place", "Tells the time"],
           [Param(["city", "location", "place", "timezone"], "string", city, "Name of the city")],
           ["What time is it in {p0}?", "Time in {p0}?", "What is the time in {p0}?", "Tell me the time in {p0}.", "How late is it in {p0}?", "What's the local time in {p0}?"],
           ["Can you tell me what time it is in {p0}?", "What is the current time in {p0}?"],
           [('{{"time": "{r0}"}}', "It is {r0} in {p0}."), ("{r0}", "It is {r0} in {p0}.")], [clock]),
    Intent(["calculate", "calculator", "compute", "eval_expression", "math", "calc"], ["Evaluate an arithmetic expression", "A calculator", "Computes the result of an expression"],
           [Param(["expression", "expr", "input", "formula"], "string", sum_text, "The expression")],
           ["Calculate {p0}.", "What is {p0}?", "Compute {p0}", "How much is {p0}?", "Work out {p0}.", "Use the calculator for {p0}.", "{p0} = ?"],
           ["Can you calculate {p0}?", "Please compute {p0}.", "What does {p0} come to?"],
           [('{{"result": {r0}}}', "{p0} = {r0}."), ("{r0}", "{p0} = {r0}.")], [whole(2, 9999)]),
    Intent(["search", "web_search", "search_web", "google", "find_online"], ["Search the web", "Look something up on the internet", "Web search"],
           [Param(["query", "q", "text", "terms"], "string", phrase, "What to search for")],
           ["Search for {p0}.", "Search the web for {p0}.", "Look up {p0}.", "Google {p0}.", "Find {p0} on the web.", "Search {p0}", "Look up {p0} online.", "Find something about {p0}.", "Search for {p0} for me.", "Look for {p0} on the web for me.", "Please find {p0} online for me."],
           ["Can you search the web for {p0}?", "Please look up {p0} for me."],
           [('{{"hits": {r0}}}', "I found {r0} results for {p0}."), ('{{"results": {r0}}}', "I found {r0} results for {p0}.")], [whole(1, 900)]),
    Intent(["send_email", "email", "mail", "write_email", "send_mail"], ["Send an email", "Write a mail to someone"],
           [Param(["to", "recipient", "name"], "string", person, "Who gets it"), Param(["subject", "title"], "string", phrase, "Subject of the mail")],
           ["Send an email to {p0} about {p1}.", "Email {p0} about {p1}.", "Write an email to {p0} about {p1}.", "Mail {p0} with the subject {p1}.", "Send {p0} a mail about {p1}."],
           ["Can you send an email to {p0} about {p1}?", "Please email {p0} about {p1}."],
           [('{{"status": "sent"}}', "The email to {p0} is sent."), ("ok", "The email to {p0} is sent.")]),
    Intent(["send_message", "message", "text", "send_text", "send_sms"], ["Send a message to someone", "Send a text message", "Text a person"],
           [Param(["to", "recipient", "name", "contact"], "string", person, "Who gets it"), Param(["text", "message", "body", "content"], "string", saying, "The message")],
           ["Send a message to {p0}: {p1}", "Text {p0}: {p1}", "Tell {p0}: {p1}", "Message {p0}: {p1}", "Send {p0} a message saying \"{p1}\".", "Text {p0} \"{p1}\".", "Send this message to {p0}: {p1}", "Let {p0} know: {p1}", "Please send {p0} a text: {p1}", "Send {p0} the following: {p1}", "Say to {p0}: {p1}"],
           ["Please send {p0} this message: {p1}", "Write to {p0}: {p1}"],
           [('{{"status": "sent"}}', "The message to {p0} is sent."), ('{{"ok": true}}', "The message to {p0} is sent.")]),
    Intent(["set_timer", "timer", "start_timer", "create_timer"], ["Start a timer", "Set a timer in minutes", "Timer"],
           [Param(["minutes", "duration", "duration_minutes"], "integer", whole(1, 120), "Length in minutes")],
           ["Set a timer for {p0} minutes.", "Start a timer of {p0} minutes.", "Timer for {p0} minutes.", "{p0} minutes timer", "Give me a {p0} minute timer.", "Set a {p0} minute timer.", "I want a timer for {p0} minutes.", "A timer of {p0} minutes, please.", "Time {p0} minutes.", "I need {p0} minutes on the timer."],
           ["Can you set a timer for {p0} minutes?", "I need a timer of {p0} minutes."],
           [('{{"status": "started"}}', "The timer is set for {p0} minutes."), ("ok", "The timer is set for {p0} minutes.")]),
    Intent(["set_alarm", "alarm", "create_alarm", "wake_me"], ["Set an alarm", "Wake the user at a time"], [Param(["time", "at", "when"], "string", clock, "Time of the alarm")],
           ["Set an alarm for {p0}.", "Wake me at {p0}.", "Alarm at {p0}.", "Set my alarm to {p0}.", "Wake me up at {p0}.", "I need to get up at {p0}.", "I want to wake up at {p0}.", "I have to be up at {p0}.", "Get me out of bed at {p0}.", "I would like to be up by {p0}."],
           ["Can you set an alarm for {p0}?", "I want to be woken at {p0}."],
           [('{{"status": "set"}}', "The alarm is set for {p0}."), ("ok", "The alarm is set for {p0}.")]),
    Intent(["add_reminder", "remind", "create_reminder", "reminder", "set_reminder"], ["Add a reminder", "Remind the user of something"],
           [Param(["text", "task", "what", "title"], "string", errand, "What to remember"), Param(["when", "day", "date"], "string", pick(DAYS), "The day")],
           ["Remind me {p1} to {p0}.", "Remind me to {p0} {p1}.", "Set a reminder for {p1}: {p0}", "Add a reminder to {p0} {p1}.", "I must {p0} {p1}, remind me.", "Make sure that I {p0} {p1}.", "Do not let me forget to {p0} {p1}.", "New reminder for {p1}: {p0}"],
           ["Can you remind me to {p0} {p1}?", "Please add a reminder for {p1}: {p0}"],
           [('{{"status": "saved"}}', "I will remind you {p1} to {p0}.")]),
    Intent(["translate", "translate_text", "translator", "translation"], ["Translate text into a language", "Translates words"],
           [Param(["text", "input", "phrase"], "string", phrase, "Text to translate"), Param(["language", "target", "to", "target_language"], "string", pick(LANGUAGES), "Language to translate to")],
           ["Translate {p0} to {p1}.", "Translate {p0} into {p1}.", "How do you say {p0} in {p1}?", "What is {p0} in {p1}?", "Say {p0} in {p1}.", "Translate \"{p0}\" to {p1}."],
           ["Can you translate {p0} into {p1}?", "Please translate \"{p0}\" to {p1}."]),
    Intent(["convert_currency", "currency", "exchange", "convert_money", "exchange_rate"], ["Convert an amount of money", "Currency conversion"],
           [Param(["amount", "value", "sum"], "integer", whole(1, 999), "Amount"), Param(["from", "source", "from_currency"], "string", pick(CURRENCIES), "Currency to convert from"),
            Param(["to", "target", "to_currency"], "string", pick(CURRENCIES), "Currency to convert to")],
           ["Convert {p0} {p1} to {p2}.", "How much is {p0} {p1} in {p2}?", "{p0} {p1} in {p2}?", "Change {p0} {p1} to {p2}.", "What is {p0} {p1} in {p2}?"],
           ["Can you convert {p0} {p1} to {p2}?", "Please exchange {p0} {p1} into {p2}."],
           [('{{"amount": {r0}}}', "{p0} {p1} is {r0} {p2}."), ("{r0}", "{p0} {p1} is {r0} {p2}.")], [whole(1, 2000)]),
    Intent(["get_stock_price", "stock", "stock_price", "quote", "get_quote"], ["Get the price of a stock", "Stock quote"],
           [Param(["symbol", "ticker", "stock", "name"], "string", ticker, "Symbol of the stock")],
           ["What is the stock price of {p0}?", "How much is {p0} stock?", "Stock price of {p0}?", "Quote for {p0}.", "What does a share of {p0} cost?", "Get the price of {p0}.", "What is {p0} trading at?", "Where does {p0} stock stand?", "How is {p0} stock doing?", "What is a share of {p0} worth?"],
           ["Can you look up the stock price of {p0}?", "What is {p0} stock at?"],
           [('{{"price": {r0}}}', "{p0} is at {r0}."), ("{r0}", "{p0} is at {r0}.")], [whole(2, 900)]),
    Intent(["turn_on_light", "light_on", "lights_on", "switch_on_light"], ["Turn on the light in a room", "Switch the lights on"], [Param(["room", "where", "location"], "string", pick(ROOMS), "The room")],
           ["Turn on the light in the {p0}.", "Turn on the {p0} light.", "Switch on the light in the {p0}.", "Lights on in the {p0}.", "Light up the {p0}.", "It is dark in the {p0}."],
           ["Can you turn on the light in the {p0}?", "Please switch on the {p0} light."],
           [('{{"status": "on"}}', "The light in the {p0} is on."), ("ok", "The light in the {p0} is on.")]),
    Intent(["turn_off_light", "light_off", "lights_off", "switch_off_light"], ["Turn off the light in a room", "Switch the lights off"], [Param(["room", "where", "location"], "string", pick(ROOMS), "The room")],
           ["Turn off the light in the {p0}.", "Turn off the {p0} light.", "Switch off the light in the {p0}.", "Lights off in the {p0}.", "Make it dark in the {p0}."],
           ["Can you turn off the light in the {p0}?", "Please switch off the {p0} light."],
           [('{{"status": "off"}}', "The light in the {p0} is off."), ("ok", "The light in the {p0} is off.")]),
    Intent(["set_temperature", "thermostat", "heating", "set_thermostat"], ["Set the temperature of a room", "Control the heating"],
           [Param(["room", "where"], "string", pick(ROOMS), "The room"), Param(["degrees", "temperature", "value"], "integer", whole(14, 29), "Degrees")],
           ["Set the {p0} to {p1} degrees.", "Heat the {p0} to {p1} degrees.", "Make the {p0} {p1} degrees warm.", "Set the temperature in the {p0} to {p1}.", "I would like {p1} degrees in the {p0}.", "It should be {p1} degrees in the {p0}.", "{p1} degrees in the {p0}, please."],
           ["Can you set the {p0} to {p1} degrees?", "I want {p1} degrees in the {p0}."],
           [('{{"status": "ok"}}', "The {p0} is set to {p1} degrees.")]),
    Intent(["play_music", "play_song", "play", "music"], ["Play a song", "Play music"], [Param(["song", "title", "name", "track"], "string", title, "Title of the song")],
           ["Play {p0}.", "Play the song {p0}.", "Put on {p0}.", "I want to hear {p0}.", "Play {p0} please.", "Start the song {p0}."],
           ["Can you play {p0}?", "Please put on the song {p0}."], [('{{"status": "playing"}}', "Now playing {p0}."), ("ok", "Now playing {p0}.")]),
    Intent(["call", "make_call", "phone", "call_contact", "dial"], ["Call someone on the phone", "Make a phone call"], [Param(["name", "contact", "who", "person"], "string", person, "Whom to call")],
           ["Call {p0}.", "Phone {p0}.", "Ring {p0}.", "Make a call to {p0}.", "Call {p0} please.", "I want to talk to {p0}.", "Get {p0} on the phone.", "Phone {p0} please.", "Ring {p0} for me."], ["Can you call {p0}?", "Please phone {p0} for me."],
           [('{{"status": "calling"}}', "Calling {p0}."), ("ok", "Calling {p0}.")]),
    Intent(["add_item", "add_to_list", "shopping_list", "add_to_shopping_list"], ["Add an item to the shopping list", "Put something on the list"],
           [Param(["item", "name", "product"], "string", phrase, "The item")],
           ["Add {p0} to my shopping list.", "Put {p0} on the list.", "I need to buy {p0}.", "Add {p0} to the list.", "Shopping list: {p0}"], ["Can you put {p0} on my shopping list?", "Please add {p0} to my list."],
           [('{{"status": "added"}}', "I added {p0} to your list."), ("ok", "I added {p0} to your list.")]),
    Intent(["book_flight", "flight", "find_flight", "search_flights"], ["Book a flight", "Find flights between two cities"],
           [Param(["from", "origin", "departure"], "string", city, "City of departure"), Param(["to", "destination", "arrival"], "string", city, "City of arrival")],
           ["Book a flight from {p0} to {p1}.", "I want to fly from {p0} to {p1}.", "Find a flight from {p0} to {p1}.", "Flights from {p0} to {p1}?", "Flight from {p0} to {p1}"],
           ["Can you find me a flight from {p0} to {p1}?", "I need to fly from {p0} to {p1}."],
           [('{{"price": {r0}}}', "A flight from {p0} to {p1} costs {r0}.")], [whole(40, 900)]),
    Intent(["get_capital", "capital", "capital_of"], ["Get the capital of a country", "Look up a capital"], [Param(["country", "name"], "string", pick(COUNTRIES), "The country")],
           ["What is the capital of {p0}?", "Capital of {p0}?", "Look up the capital of {p0}."], ["Can you look up the capital of {p0}?"]),
    Intent(["roll_dice", "dice", "roll"], ["Roll a dice", "Roll dice with a number of sides"], [Param(["sides", "faces", "max"], "integer", whole(4, 100), "Number of sides")],
           ["Roll a dice with {p0} sides.", "Roll a {p0}-sided dice.", "Throw a dice with {p0} sides."], ["Can you roll a dice with {p0} sides?"],
           [('{{"result": {r0}}}', "You rolled a {r0}."), ("{r0}", "You rolled a {r0}.")], [whole(1, 60)]),
    Intent(["take_note", "note", "save_note", "write_note"], ["Save a note", "Write something down"], [Param(["text", "note", "content"], "string", phrase, "The note")],
           ["Take a note: {p0}", "Note: {p0}", "Write down {p0}.", "Save a note: {p0}", "Note down {p0}.", "Write the following down: {p0}", "Put this in my notes: {p0}", "Keep a note of {p0}.", "Please note the following: {p0}"], ["Please write this down: {p0}", "Can you note {p0}?"],
           [('{{"status": "saved"}}', "I noted {p0}."), ("ok", "I noted {p0}.")]),
    Intent(["add", "add_numbers", "sum", "plus"], ["Add two numbers", "Adds a and b"], [Param(["a", "x", "first"], "integer", whole(1, 9999), "First number"), Param(["b", "y", "second"], "integer", whole(1, 9999), "Second number")],
           ["Add {p0} and {p1}.", "What is {p0} + {p1}?", "What is {p0} plus {p1}?", "Sum {p0} and {p1}.", "{p0} + {p1}"], ["Can you add {p0} and {p1}?", "How much is {p0} + {p1}?"],
           [('{{"result": {r0}}}', "{p0} + {p1} = {r0}."), ("{r0}", "{p0} + {p1} = {r0}.")], [whole(2, 19999)]),
    Intent(["multiply", "times", "multiply_numbers", "product"], ["Multiply two numbers", "Multiplies a and b"], [Param(["a", "x", "first"], "integer", whole(2, 999), "First number"), Param(["b", "y", "second"], "integer", whole(2, 999), "Second number")],
           ["Multiply {p0} by {p1}.", "What is {p0} * {p1}?", "What is {p0} times {p1}?", "{p0} times {p1}", "{p0} * {p1}"], ["Can you multiply {p0} by {p1}?", "How much is {p0} times {p1}?"],
           [('{{"result": {r0}}}', "{p0} times {p1} is {r0}."), ("{r0}", "{p0} times {p1} is {r0}.")], [whole(2, 99999)]),
    Intent(["get_user", "find_user", "lookup_user", "user_info"], ["Get a user by id", "Look up a user"], [Param(["id", "user_id", "number"], "integer", whole(1, 9999), "Id of the user")],
           ["Who is user {p0}?", "Look up user {p0}.", "Find user {p0}.", "Get user {p0}.", "Show me user number {p0}."], ["Can you look up user {p0}?"],
           [('{{"name": "{r0}"}}', "User {p0} is {r0}.")], [person]),
    Intent(["get_date", "today", "current_date", "date"], ["Get the date of today", "Current date"], [],
           ["What is the date today?", "What day is it?", "What date is it?", "Tell me the date.", "Today's date?", "Which day is today?"], ["Can you tell me the date?", "What is today's date?"],
           [('{{"date": "{r0} {r1}"}}', "Today is {r0} {r1}.")], [pick("January February March April May June July August September October November December".split()), whole(1, 28)]),
    Intent(["list_files", "ls", "show_files", "get_files"], ["List the files in a folder", "Show files"], [Param(["folder", "path", "directory", "dir"], "string", pick(NOUNS), "The folder")],
           ["List the files in {p0}.", "Show the files in {p0}.", "What files are in {p0}?", "Which files are in the folder {p0}?", "List files of {p0}.", "Give me a list of the files in {p0}.", "List everything in the folder {p0}."], ["Can you list the files in {p0}?"],
           [('{{"count": {r0}}}', "There are {r0} files in {p0}.")], [whole(0, 99)]),
    Intent(["open_app", "launch", "start_app", "open"], ["Open an app", "Start a program"], [Param(["app", "name", "program"], "string", pick(NOUNS), "The app")],
           ["Open the {p0} app.", "Start {p0}.", "Open {p0}.", "Launch {p0}.", "Start the {p0} app.", "Bring up {p0}.", "Open the app {p0}."], ["Can you open the {p0} app?"], [('{{"status": "ok"}}', "I opened {p0}."), ("ok", "I opened {p0}.")]),
]

UNSEEN = [
    Intent(["book_table"], ["Book a table at a restaurant"], [Param(["people"], "integer", whole(2, 12), "Number of people"), Param(["time"], "string", clock, "When")], [],
           ["Book a table for {p0} people at {p1}.", "I want a table for {p0} people at {p1}."]),
    Intent(["find_recipe"], ["Find a recipe with an ingredient"], [Param(["ingredient"], "string", pick(NOUNS), "The ingredient")], [], ["Find a recipe with {p0}.", "Find me a recipe for {p0}."]),
    Intent(["get_population"], ["Get the population of a country"], [Param(["country"], "string", pick(COUNTRIES), "The country")], [], ["What is the population of {p0}?"]),
    Intent(["order_pizza"], ["Order a pizza"], [Param(["topping"], "string", pick(NOUNS), "What is on it")], [], ["Order a pizza with {p0}.", "I want a pizza with {p0}."]),
    Intent(["lock_door"], ["Lock a door"], [Param(["door"], "string", pick(ROOMS), "Which door")], [], ["Lock the {p0} door.", "Please lock the door of the {p0}."]),
]

# Made-up tools `verb_noun`, called in the words of their names: they teach reading signatures, whatever they hold.
MADE_VERBS = "show read open close delete create update start stop check book rent order find fetch count rate share print save load track cancel review lock hire plan move draw".split() + VERBS
MADE_THINGS = "invoice ticket report order table room car bike playlist photo document event meeting task contact recipe account shipment device sensor backup page".split() + NOUNS
MADE_KEYS = [(["id", "number", "code"], "integer", whole(1, 9999), ["number {v}", "{v}", "with number {v}"]),
             (["name", "title", "label"], "string", phrase, ["called {v}", "named {v}", "\"{v}\"", "with {v}"]),
             (["person", "owner", "user"], "string", person, ["of {v}", "for {v}"]),
             (["city", "place", "location"], "string", city, ["in {v}", "of {v}"]),
             (["room", "area"], "string", pick(ROOMS), ["of the {v}", "in the {v}"]),
             (["day", "date"], "string", pick(DAYS), ["for {v}"]),
             (["time", "when", "hour"], "string", clock, ["at {v}", "for {v}"]),
             (["count", "amount", "limit"], "integer", whole(1, 99), ["{v} times", "for {v}"])]


def made_key(rng):
    """A parameter of a made-up tool: `(name, type, value generator, ways to mention it)`. Half have a name that no list foresees, which the
    question says as well or leaves to the signature."""
    if rng.random() < 0.5:
        names, kind, value, ways = rng.choice(MADE_KEYS)
        return rng.choice(names), kind, value, ways
    noun = rng.choice(NOUNS)
    kind, value = rng.choice([("string", phrase), ("string", pick(NOUNS)), ("string", city), ("string", person), ("integer", whole(0, 999))])
    name = noun if rng.random() < 0.7 else f"{rng.choice(NOUNS)}_{noun}"
    return name, kind, value, [f"with {noun} {{v}}", f"{noun} {{v}}", f"for {{v}} {noun}", "with {v}", "of {v}", "for {v}"]
