"""Word lists that the skills draw from, and the rules that inflect them.

Which words are withheld for the evaluation is decided in `split.py`, not here.
"""

NOUNS = """
apple arm army artist baby badge bag baker ball balloon banana band bank barn basket bat bath beach bean bear beard bed bee
beetle bell belt bench berry bicycle bike bird biscuit blanket block blossom board boat body bone book boot boss bottle
bowl box boy branch brick bridge broom brother brush bucket bug builder bus bush butcher butterfly button cabin cable cake
camel camera camp candle candy cap captain car card carpet carrot cart castle cat cave ceiling chain chair cheek cherry
chest chicken chimney church circle circus city class clock cloud clown coach coat coin collar colour comb computer cookie
copy corner couch country county cousin cow coach crab crane crayon cross crown cup curtain daisy dancer daughter day desk
diary dish diver doctor dog doll dolphin donkey donor door dragon drawer dream dress drink driver drum duck duty eagle ear
egg elbow elephant enemy engine envelope eye face factory fairy family fan farm farmer father feather fence ferry field
finger fire flag flame flower fly fork fountain fox frame friend frog fruit galaxy game garden gate ghost giant gift girl
glass glove goal goat gold grape grass grave guard guest guitar hair hammer hand harbour hat hawk head heart hedge hill
hobby hole holiday home hook horn horse hospital hotel hour house hut idea inch insect island jacket jar jelly jewel job
joke judge jug jungle kettle key king kiss kitchen kite kitten lady ladder lake lamp lantern lawyer leg lemon lens letter
library light lily lion lip lizard lock log lorry lunch machine magnet map march market marsh mask match meal melon memory
message metal mill minute mirror mole monkey monster month moon mother motor mountain mouth museum nail name neck needle
neighbour nest net night nose note number nurse nut oak ocean office onion orange orchard order oven owl page paint pan
pancake panda paper parade parcel parent park parrot party path paw peach peacock peanut pear pen pencil penny pepper
person photo piano picture pig pigeon pillow pilot pin pipe pirate planet plant plate player pocket poem poet pond pony
pool poppy porch potato pot present prince prize puddle pump pupil puppy purse puzzle queen question rabbit radio rain ranch
rat ray recipe ribbon ring river road robot rock rocket roof room root rope rose ruler sack sail sailor salad sandwich
sandal saw scarf school scratch screen sea seal season seat secret seed shadow shark shell ship shirt shoe shop shore
shoulder shower sign singer sink sister skirt sky snail snake sock sofa soldier song soup spider sponge spoon spy square
squirrel stamp star station stick stitch stone storm story stove stranger straw stream street string student summer sun
surprise swan sweater sword table tail tailor task taxi teacher team tent test thumb ticket tie tiger toe tomato tongue
tool torch tower town toy track tractor train tray treasure tree trick trip truck trumpet trunk tube tulip tunnel turkey
turtle uncle vase valley van village violin voice waiter wall walnut watch wave web week whale wheel whistle window wing
winter wish witch wizard word worker world worm year zebra actor airport album alley anchor angel ankle answer ant arch
arrow atom aunt author avenue axe balcony bakery beaver belly bubble bunny burger cactus canal canary candle canoe canyon
cliff clinic coast compass coral cottage cradle cricket crow crumb cushion dentist desert diamond dinner dinosaur dune
entry essay falcon fiddle flash flea flood florist flute folder forest fridge gallery garage garlic glacier globe gorilla
grocery hamster heron hotel igloo injury iris jaguar jersey journey kayak kennel kingdom kiwi lagoon laptop leopard lobster
locket magazine magician maple marble meadow medal melody mixer motel moth muffin napkin nation necklace nephew niece novel
oyster packet paddle palace palm pastry patch pebble pelican penguin petal phone pickle pillar pirate pistol platform plum
poster priest pumpkin pyramid quarry quilt raccoon racket raisin raven reptile rhino robin saddle salmon satellite sausage
scooter scout sculptor shelter shrub sketch skull slipper spark sparrow speech spruce stable statue stool sunflower
supper switch symbol teapot temple theory thorn thread throne ticket toad toaster tortoise towel trophy tutor umbrella
unicorn vacuum vest victory viking volcano vulture wagon wallet walrus warehouse wasp weasel willow wrist yacht
""".split()

IRREGULAR_PLURALS = {
    "child": "children", "man": "men", "woman": "women", "foot": "feet", "tooth": "teeth", "goose": "geese",
    "mouse": "mice", "ox": "oxen", "leaf": "leaves", "wolf": "wolves", "knife": "knives", "life": "lives",
    "wife": "wives", "half": "halves", "shelf": "shelves", "loaf": "loaves", "thief": "thieves", "calf": "calves",
    "elf": "elves", "louse": "lice", "die": "dice", "person": "people", "hero": "heroes", "potato": "potatoes",
    "tomato": "tomatoes", "echo": "echoes", "cactus": "cacti", "scarf": "scarves",
}

# Each line holds pairs; a word asked for has exactly one answer, so no word stands twice.
_OPPOSITES = """
hot cold, big small, tall short, fast slow, up down, in out, on off, happy sad, good bad, day night, black white,
open closed, old young, new used, early late, easy difficult, hard soft, full empty, heavy light, high low, left right,
long brief, loud quiet, near far, rich poor, rough smooth, safe dangerous, strong weak, thick thin, true false, wet dry,
wide narrow, win lose, buy sell, come go, give take, laugh cry, love hate, push pull, remember forget, start stop,
begin end, float sink, enter exit, always never, all none, above below, before after, front back, inside outside,
top bottom, first last, north south, east west, summer winter, brave cowardly, clean dirty, clever stupid, cheap expensive,
dark bright, deep shallow, alive dead, asleep awake, beautiful ugly, polite rude, kind cruel, lazy hardworking,
generous selfish, simple complex, sweet sour, tight loose, warm cool, wild tame, wise foolish, guilty innocent,
friend enemy, question answer, success failure, peace war, sunrise sunset, heaven hell, arrive depart, accept refuse,
add subtract, multiply divide, attack defend, build destroy, catch throw, create demolish, find miss, float drown,
freeze melt, increase decrease, join separate, lead follow, lock unlock, raise lower, rise fall, save spend,
shout whisper, sit stand, teach learn, tie untie, visible invisible, possible impossible, legal illegal, patient impatient,
perfect imperfect, correct wrong, honest dishonest, lucky unlucky, healthy sick, fresh stale, public private, male female,
king queen, maximum minimum, more less, many few, past future, present absent, positive negative, same different, sharp blunt,
straight crooked, calm nervous, sunny cloudy, yes no, day night, upstairs downstairs, husband wife, boy girl, brother sister,
mother father, son daughter, forward backward, import export, internal external, natural artificial, ancient modern,
major minor, solid liquid, tiny huge, victory defeat, borrow lend, appear vanish, agree disagree, like dislike,
hello goodbye, optimist pessimist, senior junior, odd even, profit loss, often rarely, plus minus, giant dwarf, boring interesting,
broad slim, proud humble, noisy silent, hero villain, hungry stuffed, arrival departure, beginning ending
"""


def opposites():
    """Word -> its opposite, in both directions; the first pair that names a word decides."""
    table = {}
    for pair in _OPPOSITES.replace("\n", " ").split(","):
        a, b = pair.split()
        if a not in table and b not in table:
            table[a], table[b] = b, a
    return table


def plural(noun):
    """The plural of an English noun by the regular rules, or from the irregular table."""
    if noun in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[noun]
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


EXTRA_WORDS = """
about again after along among around bring broken careful carry change circle climb clever close country cover dance
dinner during early eight enough every explain famous finish follow forget friendly gentle gather giggle golden grow happen
happy heavy hidden hungry invent jump kind laugh lazy learn listen little lively lonely magic merry mighty modern morning
never noisy often paint perfect plenty polite proud purple quick quiet quickly remember ripe round rusty school seven shiny
silent silver simple slowly smooth softly sparkle spring strange strong sudden sunny sweet swift tender thank thirty tiny
together travel twelve under useful visit wander warm water welcome whisper wild wonder wooden yellow young inglenook cosmic
""".split()

NAMES = """
Anna Ben Clara David Ella Finn Grace Hugo Ivy Jack Kate Leo Mia Noah Olivia Paul Quinn Rosa Sam Tara Uma Victor Wendy Xenia
Yusuf Zoe Adam Bella Carlos Daisy Emil Fatima George Hana Igor Julia Karl Lena Marco Nina Oscar Priya Rahul Sofia Tom Vera
Walter Yara Amir Chloe Dmitri Elena Felix Gina Harry Isla Jonas Keiko Liam Maria Nadia Omar Petra Robert Simon Tina
""".split()

CITIES = """
Paris London Berlin Rome Madrid Vienna Oslo Dublin Lisbon Prague Athens Warsaw Budapest Helsinki Stockholm Copenhagen
Amsterdam Brussels Zurich Geneva Munich Hamburg Milan Naples Venice Seville Porto Lyon Nice Tokyo Kyoto Osaka Seoul Beijing
Shanghai Delhi Mumbai Cairo Nairobi Lagos Sydney Melbourne Toronto Vancouver Montreal Boston Chicago Denver Seattle Austin
Dallas Miami Houston Lima Bogota Santiago Havana Istanbul Dubai Singapore Bangkok Hanoi Manila Jakarta Auckland Reykjavik
""".split()
