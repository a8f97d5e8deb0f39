/* English as customers write it: contractions, words without a topic, words for the same thing.
 *
 * The lists are written by hand for messages to businesses of any kind. They hold no word for the
 * sake of one data set; a group holds only words that a customer would exchange for each other. */

#include "faq/rt_faq_frequency.h"

#include <string.h>


const char *const rt__faq_small_words =
    "a an the this that these those there here it its he she they them their his her him i me "
    "my mine we us our ours you your yours who whom whose what which when where why how is am "
    "are was were be been being do does did done doing have has had having will would shall "
    "should can could may might must not no nor and or but if then than so as at by for from "
    "in into of onto to with about just only also too very really please pls plz thanks thank "
    "thx hi hello hey dear ok okay yes yeah sure well now some any all each such tell know "
    "want wants wanted need needs needed like help let lets get gets got getting give go "
    "going gonna wanna gotta able possible way thing things something anything someone anyone "
    "question wondering wonder say said see look looking find try trying tried make made "
    "think because since while still again already even much many more most lot kind sort "
    "much bit mean means work works works good great right one does ive dont cant im u ur "
    "hope guys sir madam maam own happen happens happened explain advise assist show use "
    "using used";

/* Ordered: a word of two groups belongs to the first. */
const char *const rt__faq_groups[] = {
    "price cost fee charge rate tariff pricing",
    "money cash fund funds",
    "buy purchase order",
    "cancel undo revert reverse revoke",
    "refund reimburse reimbursement moneyback",
    "phone telephone mobile cell cellphone smartphone",
    "call ring dial",
    "email mail inbox",
    "delete remove erase close deactivate terminate",
    "change edit modify update alter amend switch",
    "lose misplace missing steal theft robbed",
    "break damage damaged faulty defective",
    "fail failed failure unsuccessful",
    "decline declined reject rejected refuse refused deny denied",
    "pending processing unprocessed outstanding",
    "transfer send wire remit",
    "receive arrive arrival delivery deliver delivered ship shipped shipping shipment",
    "fast quick quickly soon express urgent urgently asap",
    "verify verification validate confirm authenticate authentication prove",
    "identity identification id passport",
    "abroad overseas foreign international internationally",
    "currency currencies forex",
    "supermarket shop store grocery groceries",
    "begin start commence launch activate enable",
    "stop end finish halt quit disable mute silence pause",
    "child children kid kids son daughter baby toddler teen teenager",
    "man men male gentleman boy boys gents",
    "woman women female lady ladies girl girls",
    "old age aged older younger young",
    "hour hours opening schedule timetable",
    "location located address where whereabouts directions",
    "near nearby close closest nearest around vicinity",
    "appointment booking book reservation reserve slot",
    "park parking garage",
    "wifi internet wlan network",
    "password passcode pin code",
    "login signin logon",
    "register signup enrol enroll subscribe",
    "error mistake wrong incorrect erroneous problem issue trouble",
    "card debitcard creditcard",
    "pay payment paying",
    "bill invoice receipt statement",
    "account profile",
    "limit maximum cap restriction",
    "country countries nation",
    "cheque check",
    "atm cashpoint cashmachine",
    "extra additional another second",
    "twice double duplicate duplicated",
    "song track tune music",
    "film movie cinema",
    "radio station",
    "lamp light lights bulb",
    "loud louder volume",
    "temperature warm cold hot degrees",
    "weather forecast rain sunny snow",
    "remind reminder notify notification alert",
    "meeting event conference",
    "today tonight",
    "holiday holidays vacation",
    "food meal dinner lunch dish",
    "recipe cook cooking",
    "restaurant cafe diner eatery",
    "taxi cab uber lyft",
    "train railway rail",
    "job career vacancy vacancies hiring",
    "discount coupon voucher promo promotion offer sale",
    "gift present",
    "exchange swap trade convert conversion",
    "return returns returned",
    "insurance insured insure coverage",
    "doctor physician gp",
    "hair haircut hairdresser",
    "pet dog cat animal animals",
    "disabled wheelchair accessible accessibility",
    "staff employee employees personnel team",
    "human agent representative person operator",
    "complain complaint dissatisfied unhappy",
    "guarantee warranty",
    "minimum least",
    "clean cleaning vacuum hoover",
    "picture photo image",
    "bring take carry",
    "trash rubbish garbage",
    "allergy allergic allergies",
    "replace replacement substitute",
    "top topup reload recharge",
    "salary wage wages paycheck",
    "talk speak chat contact reach",
    "big large huge",
    "small little tiny",
    "wait waiting delay delayed late slow",
    "trip travel traveling travelling journey",
    "home house flat apartment",
    "car vehicle automobile",
    "show appear visible display",
    "block blocked freeze frozen lock locked",
    "unblock unlock unfreeze",
    "merchant seller retailer vendor",
    "husband wife spouse partner",
    "drink drinks beverage",
    "friend mate buddy",
    "thief fraud fraudulent scam unauthorised unauthorized",
    "recognise recognize unknown unfamiliar",
    "allow allowed permit permitted",
    "require required requirement requirements necessary",
    "available availability",
    "choose select choice option",
    "quiet silent silently",
    "correct fix repair",
    "happy satisfied pleased",
    "evening night",
    "weekend saturday sunday",
    "joke funny humor humour",
    "news headline headlines",
    "traffic congestion",
    "calendar agenda diary",
    "colour color",
    "tv television",
    "plug socket outlet",
    "facebook twitter instagram tweet",
    NULL,
};


typedef struct {
    const char *ending;
    const char *word; /* the second word; NULL: the ending is dropped */
} rt_faq_ending_t;

static const rt_faq_ending_t rt_faq_endings[] = {
    {"n't", "not"},
    {"'s", NULL},
    {"s'", NULL},
    {"'m", "am"},
    {"'re", "are"},
    {"'ve", "have"},
    {"'ll", "will"},
    {"'d", "would"},
};

typedef struct {
    const char *word;
    const char *first;
    const char *second;
} rt_faq_contraction_t;

/* Irregular, where "'s" is no possessive, or written without the apostrophe where that is no other
 * word. */
static const rt_faq_contraction_t rt_faq_contractions[] = {
    {"can't", "can", "not"},
    {"cant", "can", "not"},
    {"cannot", "can", "not"},
    {"won't", "will", "not"},
    {"wont", "will", "not"},
    {"shan't", "shall", "not"},
    {"dont", "do", "not"},
    {"doesnt", "does", "not"},
    {"didnt", "did", "not"},
    {"isnt", "is", "not"},
    {"arent", "are", "not"},
    {"wasnt", "was", "not"},
    {"werent", "were", "not"},
    {"havent", "have", "not"},
    {"hasnt", "has", "not"},
    {"hadnt", "had", "not"},
    {"couldnt", "could", "not"},
    {"wouldnt", "would", "not"},
    {"shouldnt", "should", "not"},
    {"im", "i", "am"},
    {"ive", "i", "have"},
    {"youre", "you", "are"},
    {"theyre", "they", "are"},
    {"youve", "you", "have"},
    {"weve", "we", "have"},
    {"whats", "what", "is"},
    {"wheres", "where", "is"},
    {"hows", "how", "is"},
    {"whens", "when", "is"},
    {"thats", "that", "is"},
    {"theres", "there", "is"},
    {"what's", "what", "is"},
    {"where's", "where", "is"},
    {"how's", "how", "is"},
    {"when's", "when", "is"},
    {"who's", "who", "is"},
    {"why's", "why", "is"},
    {"that's", "that", "is"},
    {"there's", "there", "is"},
    {"here's", "here", "is"},
    {"it's", "it", "is"},
    {"he's", "he", "is"},
    {"she's", "she", "is"},
    {"let's", "let", "us"},
    {"gonna", "going", "to"},
    {"wanna", "want", "to"},
    {"gotta", "got", "to"},
};


/* Forms that no stemmer sees; sorted. */
static const struct {
    const char *form;
    const char *word;
} rt_faq_irregular[] = {
    {"ate", "eat"},
    {"began", "begin"},
    {"begun", "begin"},
    {"best", "good"},
    {"better", "good"},
    {"bought", "buy"},
    {"broke", "break"},
    {"broken", "break"},
    {"brought", "bring"},
    {"built", "build"},
    {"came", "come"},
    {"caught", "catch"},
    {"children", "child"},
    {"chose", "choose"},
    {"chosen", "choose"},
    {"drank", "drink"},
    {"driven", "drive"},
    {"drove", "drive"},
    {"drunk", "drink"},
    {"eaten", "eat"},
    {"fallen", "fall"},
    {"feet", "foot"},
    {"fell", "fall"},
    {"felt", "feel"},
    {"flew", "fly"},
    {"flown", "fly"},
    {"forgot", "forget"},
    {"forgotten", "forget"},
    {"froze", "freeze"},
    {"frozen", "freeze"},
    {"gave", "give"},
    {"given", "give"},
    {"grew", "grow"},
    {"grown", "grow"},
    {"heard", "hear"},
    {"held", "hold"},
    {"hidden", "hide"},
    {"kept", "keep"},
    {"knew", "know"},
    {"known", "know"},
    {"laid", "lay"},
    {"led", "lead"},
    {"left", "leave"},
    {"lent", "lend"},
    {"lost", "lose"},
    {"meant", "mean"},
    {"men", "man"},
    {"met", "meet"},
    {"mice", "mouse"},
    {"paid", "pay"},
    {"people", "person"},
    {"ran", "run"},
    {"rang", "ring"},
    {"rose", "rise"},
    {"said", "say"},
    {"sang", "sing"},
    {"sat", "sit"},
    {"saw", "see"},
    {"seen", "see"},
    {"sent", "send"},
    {"slept", "sleep"},
    {"sold", "sell"},
    {"spent", "spend"},
    {"spoke", "speak"},
    {"spoken", "speak"},
    {"stole", "steal"},
    {"stolen", "steal"},
    {"stood", "stand"},
    {"swam", "swim"},
    {"taken", "take"},
    {"taught", "teach"},
    {"teeth", "tooth"},
    {"thought", "think"},
    {"threw", "throw"},
    {"thrown", "throw"},
    {"told", "tell"},
    {"took", "take"},
    {"understood", "understand"},
    {"went", "go"},
    {"withdrawn", "withdraw"},
    {"withdrew", "withdraw"},
    {"wives", "wife"},
    {"woke", "wake"},
    {"women", "woman"},
    {"won", "win"},
    {"wore", "wear"},
    {"worn", "wear"},
    {"worse", "bad"},
    {"worst", "bad"},
    {"written", "write"},
    {"wrote", "write"},
};


static void
rt_faq_word_set(rt_faq_word_t *word, const char *text, size_t len)
{
    word->len = (uint8_t) (len < RT_FAQ_WORD_BYTES ? len : RT_FAQ_WORD_BYTES);
    memcpy(word->text, text, word->len);
}


static int
rt_faq_word_is(const rt_faq_word_t *word, const char *text)
{
    return strlen(text) == word->len && memcmp(word->text, text, word->len) == 0;
}


size_t
rt__faq_english(const rt_faq_word_t *word, rt_faq_word_t out[2])
{
    size_t                      i, len;
    const rt_faq_ending_t      *ending;
    const rt_faq_contraction_t *whole;

    for (i = 0; i < sizeof(rt_faq_contractions) / sizeof(rt_faq_contractions[0]); i++) {
        whole = &rt_faq_contractions[i];

        if (rt_faq_word_is(word, whole->word)) {
            rt_faq_word_set(&out[0], whole->first, strlen(whole->first));

            rt_faq_word_set(&out[1], whole->second, strlen(whole->second));
            return 2;
        }
    }

    for (i = 0; i < sizeof(rt_faq_endings) / sizeof(rt_faq_endings[0]); i++) {
        ending = &rt_faq_endings[i];
        len = strlen(ending->ending);

        if (word->len <= len || memcmp(word->text + word->len - len, ending->ending, len) != 0) {
            continue;
        }

        if (ending->word == NULL) { /* "s'" keeps its s */
            rt_faq_word_set(&out[0], word->text, word->len - len + (ending->ending[0] == 's'));
            return 1;
        }

        rt_faq_word_set(&out[0], word->text, word->len - len);
        rt_faq_word_set(&out[1], ending->word, strlen(ending->word));
        return 2;
    }

    out[0] = *word;

    return 1;
}


void
rt__faq_regular(rt_faq_word_t *word)
{
    int    order;
    size_t low, high, middle, len;

    low = 0;
    high = sizeof(rt_faq_irregular) / sizeof(rt_faq_irregular[0]);

    while (low < high) {
        middle = (low + high) / 2;
        len = strlen(rt_faq_irregular[middle].form);
        order =
            memcmp(word->text, rt_faq_irregular[middle].form, word->len < len ? word->len : len);

        if (order == 0 && word->len == len) {
            len = strlen(rt_faq_irregular[middle].word);
            rt_faq_word_set(word, rt_faq_irregular[middle].word, len);
            return;
        }

        if (order > 0 || (order == 0 && word->len > len)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
}
