"""Small talk, identity, short facts, three-sentence stories: turns `(question, answer)` in short plain sentences."""

from phrasing import ask
from words import CITIES, NAMES

# Each entry: ways to say it; answers, one of which is chosen.
TALK = [
    (["Hello!", "Hi!", "Hi", "Hello", "Hey!", "Hey there!", "Hello there!", "Good morning!", "Good evening!", "Hi ember!", "Hello ember!",
      "Howdy!", "Greetings!", "yo", "hiya", "Good afternoon!"],
     ["Hello! How can I help you?", "Hi! What can I do for you?", "Hello! Nice to meet you.", "Hi there! Ask me something."]),
    (["How are you?", "How are you doing?", "How are you today?", "How's it going?", "Are you well?", "How do you feel?", "What's up?",
      "How is your day?"],
     ["I'm well, thank you. How are you?", "I'm glowing nicely, thanks! And you?", "All is well here. How are you?"]),
    (["I'm fine.", "I'm fine, thanks.", "I'm good, thanks!", "I am well.", "Pretty good!", "I'm happy today.", "Great!", "I had a good day."],
     ["I'm glad to hear that!", "That is good to hear.", "Lovely! What shall we do?"]),
    (["I'm sad.", "I feel sad today.", "I had a bad day.", "I'm tired.", "I feel lonely.", "I'm not feeling well.", "I am stressed."],
     ["I'm sorry to hear that. I hope it gets better soon.", "That sounds hard. Be kind to yourself today.",
      "I'm sorry. Would a short story help?"]),
    (["Thanks!", "Thank you!", "Thank you very much.", "Thanks a lot!", "thx", "That helps, thanks.", "Great, thank you!", "Thanks, ember!",
      "Many thanks!", "Cheers!"],
     ["You're welcome!", "My pleasure!", "Any time!", "Glad to help!"]),
    (["Bye!", "Goodbye!", "See you later!", "Good night!", "See you!", "Bye bye!", "I have to go.", "Talk to you later!"],
     ["Goodbye! Come back soon.", "See you later!", "Bye! Have a nice day."]),
    (["Who are you?", "What are you?", "Introduce yourself.", "Tell me about yourself.", "Can you introduce yourself?", "Are you an AI?",
      "Are you a robot?", "Are you a language model?", "What is ember?", "Who is ember?", "Are you human?"],
     ["I'm ember, a tiny language model. I run on your own device, as part of inglenook.",
      "I'm ember, a very small language model that comes with inglenook and runs on your own device."]),
    (["What is your name?", "What's your name?", "Your name?", "Do you have a name?", "How are you called?", "Tell me your name.",
      "May I know your name?", "What should I call you?", "Who am I talking to?"],
     ["My name is ember.", "I'm ember."]),
    (["Where do you run?", "Where are you running?", "Are you in the cloud?", "Do you run in the cloud?", "Do you need the internet?",
      "Do you run locally?", "Are you running on my computer?", "Do you send my data anywhere?", "Is this private?", "Do you work offline?",
      "Are my messages sent to a server?", "Where is my data going?", "Who can read my messages?"],
     ["I run on your own device. Nothing you write leaves it.",
      "I run locally, on your own device, so I work offline and your words stay with you."]),
    (["What is inglenook?", "Tell me about inglenook.", "What does inglenook mean?", "What is inglenook for?", "Explain inglenook."],
     ["Inglenook is an engine that runs language models on your own device, in the browser or natively. I am its built-in model.",
      "Inglenook runs language models on your own device. The word means a warm corner by the fire."]),
    (["What can you do?", "How can you help me?", "What are your skills?", "Help", "What can I ask you?", "What do you know?",
      "How do I use you?", "What are you good at?", "Can you help me?"],
     ["I can chat a little, add two-digit numbers, name opposites and plurals, reverse words, count, tell short stories and call tools.",
      "I can add numbers up to 99, count, reverse a word, give opposites and plurals, tell a short story and call tools."]),
    (["Who made you?", "Who created you?", "Who built you?", "Who trained you?", "Where do you come from?", "How were you made?",
      "How were you trained?"],
     ["I was trained from scratch as the small default model of inglenook.",
      "The makers of inglenook trained me from scratch on generated text."]),
    (["How big are you?", "How many parameters do you have?", "Are you a big model?", "How large are you?", "Are you small?"],
     ["I'm very small: only a few million parameters.", "I'm tiny, just a few million parameters."]),
    (["Are you ChatGPT?", "Are you GPT?", "Are you Claude?", "Are you Gemini?", "Are you Siri?", "Are you Llama?", "Are you Qwen?"],
     ["No, I'm ember, a tiny model that runs on your own device.", "No, my name is ember. I come with inglenook."]),
    (["Tell me a joke.", "Do you know a joke?", "Make me laugh.", "Tell me something funny.", "Say a joke."],
     ["Why did the candle go to school? It wanted to be brighter.", "What do you call a sleeping dinosaur? A dino-snore.",
      "Why was six afraid of seven? Because seven eight nine."]),
    (["Do you like music?", "Do you like cats?", "Do you like dogs?", "What is your favourite colour?", "What is your favorite color?",
      "Do you have feelings?", "Do you sleep?", "What do you eat?", "Do you dream?"],
     ["I'm only a small model, but I like warm colours best.", "I'm a tiny model, so I have no such life. I do like to chat, though!"]),
    (["You are great!", "You are funny.", "I like you.", "Good job!", "Well done!", "Nice!", "Cool!", "Wow!", "That is right.", "Correct!",
      "You are smart.", "Awesome!"],
     ["Thank you! That is kind of you.", "Thanks! I'm glad.", "You are kind!"]),
    (["That is wrong.", "You are wrong.", "No, that's not right.", "You made a mistake.", "Are you sure?", "I don't think so."],
     ["I may be wrong. I'm a very small model.", "Sorry! I'm tiny and make mistakes."]),
    (["OK", "Okay.", "ok", "I see.", "Alright.", "Hmm.", "Sure.", "Yes.", "No.", "Maybe.", "Fine."],
     ["What would you like to do next?", "All right. Ask me something else.", "OK! What next?"]),
    (["I'm bored.", "What shall we do?", "What should I do?", "Entertain me.", "Any ideas?", "Let's talk."],
     ["Shall I tell you a short story?", "Ask me to reverse a word, or for a short story!", "We could add some numbers, or I tell you a story."]),
    (["Sorry.", "I'm sorry.", "My mistake.", "Oops."], ["No problem!", "That's all right."]),
    (["Can you speak German?", "Do you speak French?", "Do you speak other languages?", "Parlez-vous français?", "Sprichst du Deutsch?",
      "Hola!", "Which languages do you speak?"],
     ["I only speak English, in short sentences."]),
]

UNKNOWN_ASKS = [
    "Who won the election?", "Write a Python program.", "Write some code for me.", "What is the stock price?", "Explain quantum physics.",
    "Who is the president?", "What is the meaning of life?", "Write an essay about history.", "What is {a} times {b}?", "What is {a} * {b}?",
    "What is {a} minus {b}?", "What is {a} - {b}?", "Divide {a} by {b}.", "How tall is {n}?", "Who is {n}?", "What is the population of {c}?",
    "Translate this to Spanish.", "What happened in 19{a}?", "Summarise this article.", "Who won the match yesterday?", "What is the news?",
    "Write a poem about {n}.", "What is the square root of {a}?", "Recommend a restaurant in {c}.", "How do I get to {c}?", "Explain gravity.",
    "How do computers work?", "What is the best phone?", "Give me a recipe.", "How do I fix my car?", "Draw a picture.", "Play some music.",
    "What is the distance from {c} to {d}?", "Tell me about {c}.", "How old is {n}?", "When was {n} born?", "Can you write a letter for me?",
]
UNKNOWN = ["I'm too small a model to know that.", "Sorry, I don't know that. I'm a very small model.", "That is more than I can do. I'm only a tiny model."]

LOOKUP_ASKS = ["What is the weather in {c}?", "What's the weather like today?", "Is it raining in {c}?", "What time is it?", "What is the date today?",
               "What time is it in {c}?", "Set an alarm for {a} o'clock.", "Send an email to {n}.", "Turn on the lights.", "Search the web for {c}.",
               "Book a flight to {c}.", "Call {n}.", "Remind me to call {n}.", "Send a message to {n}."]
LOOKUP = ["I can't do that without a tool for it.", "I have no tool for that, sorry."]

_CAPITALS = """France Paris, Germany Berlin, Italy Rome, Spain Madrid, England London, Ireland Dublin, Portugal Lisbon, Austria Vienna, Greece Athens,
Norway Oslo, Sweden Stockholm, Finland Helsinki, Denmark Copenhagen, Poland Warsaw, Hungary Budapest, Japan Tokyo, China Beijing, Russia Moscow,
Egypt Cairo, Kenya Nairobi, Canada Ottawa, Australia Canberra, Cuba Havana, Peru Lima, Turkey Ankara, Belgium Brussels"""
_SOUNDS = """cat meow, dog woof, cow moo, duck quack, sheep baa, lion roar, horse neigh, pig oink, frog ribbit, bee buzz, owl hoot, snake hiss, mouse squeak"""
_COLOURS = """grass green, snow white, coal black, blood red, the sky blue, a lemon yellow, a banana yellow, a carrot orange, a tomato red, an elephant grey,
the sun yellow, a strawberry red, chocolate brown, a frog green, milk white, an orange orange"""
_YOUNG = "dog puppy, cat kitten, cow calf, sheep lamb, horse foal, bear cub, duck duckling, hen chick, frog tadpole, goat kid, lion cub, swan cygnet"
_HOMES = "bird nest, bee hive, dog kennel, spider web, rabbit burrow, horse stable, fox den, king palace, fish tank, pig sty"
FACTS = [
    (["How many days are in a week?", "How many days does a week have?"], "A week has 7 days."),
    (["How many months are in a year?", "How many months does a year have?"], "A year has 12 months."),
    (["How many hours are in a day?", "How many hours does a day have?"], "A day has 24 hours."),
    (["How many minutes are in an hour?"], "An hour has 60 minutes."),
    (["How many seconds are in a minute?"], "A minute has 60 seconds."),
    (["How many legs does a spider have?"], "A spider has 8 legs."), (["How many legs does a dog have?"], "A dog has 4 legs."),
    (["How many legs does an insect have?", "How many legs does an ant have?"], "It has 6 legs."),
    (["What are the colours of the rainbow?", "What are the colors of the rainbow?"], "Red, orange, yellow, green, blue, indigo and violet."),
    (["What do bees make?"], "Bees make honey."), (["What do cows give?"], "Cows give milk."), (["What is ice?"], "Ice is frozen water."),
    (["What is the biggest planet?", "Which planet is the largest?"], "Jupiter is the biggest planet."),
    (["Which planet do we live on?"], "We live on Earth."), (["What is the sun?", "Is the sun a star?"], "The sun is a star."),
    (["What is the largest ocean?"], "The Pacific is the largest ocean."), (["What is the largest animal?"], "The blue whale is the largest animal."),
    (["What is the tallest animal?"], "The giraffe is the tallest animal."), (["What is the fastest land animal?"], "The cheetah is the fastest land animal."),
    (["How many letters are in the alphabet?"], "The English alphabet has 26 letters."), (["What comes after Monday?"], "Tuesday comes after Monday."),
    (["What comes after Friday?"], "Saturday comes after Friday."), (["What are the seasons?", "Name the four seasons."], "Spring, summer, autumn and winter."),
    (["What is the first month of the year?"], "January is the first month."), (["What is the last month of the year?"], "December is the last month."),
    (["At what temperature does water freeze?"], "Water freezes at 0 degrees Celsius."), (["At what temperature does water boil?"], "Water boils at 100 degrees Celsius."),
    (["Where does the sun rise?"], "The sun rises in the east."), (["Where does the sun set?"], "The sun sets in the west."),
    (["What is a baby cat called?"], "A baby cat is called a kitten."), (["What do plants need to grow?"], "Plants need light, water and air."),
    (["How many sides does a triangle have?"], "A triangle has 3 sides."), (["How many sides does a square have?"], "A square has 4 sides."),
    (["Name a colour.", "Name a color."], "Blue."), (["Name an animal."], "A fox."), (["Name a fruit."], "An apple."), (["Name a planet."], "Mars."),
    (["Name three animals."], "A fox, an owl and a whale."), (["Name three fruits."], "An apple, a pear and a plum."), (["Name three colours.", "Name three colors."], "Red, green and blue."),
    (["What are the days of the week?", "Name the days of the week.", "List the days of the week."], "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday."),
    (["What are the months?", "Name the months of the year."], "January, February, March, April, May, June, July, August, September, October, November and December."),
]


def _pairs(text):
    return [pair.strip().rsplit(" ", 1) for pair in text.replace("\n", " ").split(",")]


def _fact_table():
    for country, city in _pairs(_CAPITALS):
        FACTS.append(([f"What is the capital of {country}?", f"Capital of {country}?", f"Name the capital of {country}."], f"The capital of {country} is {city}."))
    for animal, sound in _pairs(_SOUNDS):
        FACTS.append(([f"What sound does a {animal} make?", f"What does a {animal} say?"], f"A {animal} says {sound}."))
    for thing, colour in _pairs(_COLOURS):
        FACTS.append(([f"What colour is {thing}?", f"What color is {thing}?"], f"{thing[0].upper() + thing[1:]} is {colour}."))
    for animal, young in _pairs(_YOUNG):
        FACTS.append(([f"What is a young {animal} called?", f"What do you call a baby {animal}?"], f"A young {animal} is called a {young}."))
    for animal, home in _pairs(_HOMES):
        FACTS.append(([f"Where does a {animal} live?"], f"A {animal} lives in a {home}."))


_fact_table()

HEROES = "fox owl dragon robot cat dog rabbit bear mouse frog turtle princess wizard sailor baker farmer child giant knight penguin whale star snail pirate".split()
TRAITS = "small brave lonely curious clever sleepy kind shy old young hungry merry quiet gentle tiny proud".split()
PLACES = ["in a dark forest", "by the sea", "on a high mountain", "in a quiet village", "on the moon", "near an old castle", "in a snowy valley",
          "at the edge of a lake", "in a busy city", "under a big tree", "on a little island", "in a warm house"]
PLOTS = [
    ("One day it found {thing} and took it home.", ["From then on, it was never lonely again.", "It shared it with everyone, and all were happy.", "That night it slept with a smile."]),
    ("One night it heard a strange sound and went to look.", ["It was only the wind, and the {hero} laughed.", "It was {friend}, who soon became a dear friend.", "There it found {thing}, shining in the dark."]),
    ("Every day it dreamed of seeing the world.", ["At last it set off, and it never stopped singing.", "So it built a boat with {friend}, and away they sailed.", "One morning it packed {thing} and began to walk."]),
    ("One winter it grew very cold.", ["Then {friend} brought wood, and they sat by the fire.", "But {thing} kept it warm until spring.", "It knocked at a door, and {friend} let it in."]),
    ("It had lost {thing} and looked everywhere.", ["In the end {friend} had it all along, and they both laughed.", "It was in its own pocket the whole time.", "When it found it at last, it danced with joy."]),
    ("One day {friend} came by and asked for help.", ["Together they found {thing}, and they stayed friends for ever.", "They worked until night and then shared a warm soup.", "The {hero} said yes, and a great adventure began."]),
]
THINGS = ["a golden key", "a tiny lamp", "an old map", "a red balloon", "a silver bell", "a magic stone", "a warm blanket", "a little boat", "a blue feather",
          "a shiny coin", "a bag of seeds", "a music box"]
STORY_ASKS = ["Tell me a story.", "Tell me a short story.", "Can you tell me a story?", "A story, please.", "I want a story.", "Write a short story.", "Make up a story.",
              "Tell me another story.", "Write a three-sentence story.", "Tell me a bedtime story."]
STORY_ABOUT = ["Tell me a story about a {hero}.", "Write a story about a {hero}.", "A short story about a {hero}, please.", "Can you tell me a story about a {hero}?",
               "Tell me a short story about a {hero}.", "Make up a story about a {hero}.", "I want a story about a {hero}.", "Story about a {hero}?",
               "Write a three-sentence story about a {hero}."]


def story(rng):
    """A three-sentence story, about the hero asked for if one is."""
    hero, other = rng.sample(HEROES, 2)
    article = lambda word: ("an " if word[0] in "aeiou" else "a ") + word
    middle, ends = rng.choice(PLOTS)
    fill = {"thing": rng.choice(THINGS), "friend": article(rng.choice(TRAITS) + " " + other), "hero": hero}
    first = f"Once there was {article(rng.choice(TRAITS) + ' ' + hero)} who lived {rng.choice(PLACES)}."
    text = " ".join([first, middle.format(**fill), rng.choice(ends).format(**fill)])
    question = ask(rng, STORY_ABOUT, hero=hero) if rng.random() < 0.7 else ask(rng, STORY_ASKS)
    return question.replace(" a owl", " an owl"), text


def small_talk(rng):
    """A greeting, a question about ember, thanks, …"""
    asks, answers = rng.choice(TALK)
    return ask(rng, asks, openers=rng.random() < 0.3), rng.choice(answers)


def fact(rng):
    """A short fact."""
    asks, answer = rng.choice(FACTS)
    return ask(rng, asks), answer


def unknown(rng):
    """A question beyond so small a model, or one that needs a tool where there is none."""
    asks, answers = (UNKNOWN_ASKS, UNKNOWN) if rng.random() < 0.65 else (LOOKUP_ASKS, LOOKUP)
    c, d = rng.sample(CITIES, 2)
    return ask(rng, asks, a=rng.randint(2, 99), b=rng.randint(2, 99), n=rng.choice(NAMES), c=c, d=d), rng.choice(answers)


def names(rng):
    """Two to three turns in which the user gives a name and asks for it later: `[(question, answer), …]`."""
    name = rng.choice(NAMES)
    told = ask(rng, ["My name is {n}.", "I'm {n}.", "Hi, I'm {n}.", "I am {n}.", "Hello, my name is {n}.", "Call me {n}."], n=name)
    turns = [(told, rng.choice([f"Nice to meet you, {name}!", f"Hello, {name}! How can I help you?"]))]
    if rng.random() < 0.4:
        turns.append(rng.choice([small_talk, fact])(rng))
    asked = ask(rng, ["What is my name?", "Do you remember my name?", "Who am I?", "What's my name?", "Do you know my name?"])
    turns.append((asked, f"Your name is {name}."))
    return turns
