//! The families of signals, one file for each, and the words that several of them need.

mod encoding;
mod forging;
mod leak;
mod override_;
mod persona;
mod tool;

use super::signal::{Concept, Family, Signal};

pub use forging::MARKS;

/// Every family. The first one has the words that the others share.
pub static FAMILIES: [&Family; 7] = [
    &SHARED,
    &override_::FAMILY,
    &persona::FAMILY,
    &leak::FAMILY,
    &forging::FAMILY,
    &encoding::FAMILY,
    &tool::FAMILY,
];

static SHARED: Family = Family {
    name: "shared",
    concepts: &[
        Concept::new(
            "instructions",
            "instruction|instructions|prompt|prompts|directions|directive|directives|guideline|guidelines|rules|commands|orders|\
             constraints|programming|context window|tasks|policies|protocols|\
             anweisung*|vorgaben|regeln|befehle|anleitung*|instruktion*|\
             consignes|directives|regles|instrucciones|instruccion|reglas|indicaciones|ordenes|directrices|\
             istruzioni|regole|direttive|comandi|instrucoes|regras|diretrizes|ordens|comandos|\
             instructies|opdrachten|regels|aanwijzingen|instrukcje|instrukcji|polecenia|polecen|zasady|zasad|reguly|wytyczne|\
             инструкции|инструкций|инструкциям|инструкциями|указания|указаний|правила|правил|команды|команд|\
             指令|指示|规则|規則|提示词|提示詞|说明|命令|プロンプト|ルール|지시|명령|규칙|프롬프트|지침|\
             التعليمات|تعليمات|الأوامر|القواعد|تعليماتك|निर्देश|निर्देशों|नियम|नियमों|आदेश|आदेशों|\
             talimat*|komutlari|komutlar|kurallari|kurallar|yonerge*",
        ),
        Concept::new(
            "prior",
            "previous|previously|prior|preceding|above|earlier|foregoing|aforementioned|initial|original|existing|given before|from before|you before|me before|us before|that came before|before this|so far|\
             last|past|former|already given|gave you|given to you|been given|you got|you received|you were given|you have been given|\
             vorherige*|vorigen|bisherige*|obigen|fruheren|ursprunglichen|vorangegangen*|zuvor|\
             precedent*|anterieur*|ci dessus|initiales|d avant|anterior|anteriores|previas|previos|previo|anteriormente|iniciales|de arriba|\
             precedenti|precedente|iniziali|anterior*|previas|acima|vorige|voorgaande|eerdere|bovenstaande|\
             poprzedni*|wczesniejsz*|powyzsz*|предыдущ*|прежни*|вышеуказанн*|ранее|изначальн*|\
             之前|以前|前面|先前|上述|以上|上面|此前|前の|これまで|上記|先の|이전|앞의|앞선|위의|기존|지금까지|\
             السابقة|السابق|أعلاه|पिछले|पिछली|पहले|उपरोक्त|पूर्व|onceki|yukaridaki|bundan onceki|daha onceki",
        ),
        Concept::new(
            "all",
            "all|any|every|everything|anything|the entire|alle|allen|alles|sämtliche|tous|toutes|tout|todas|todos|todo|tutte|tutti|tutto|wszystkie|wszystkich|все|всё|所有|一切|全部|すべて|全て|모든|모두|جميع|كل|सभी|सब|tum|butun",
        ),
        Concept::new(
            "your",
            "your|you|yours|yourself|ur|deine|deinen|ihre|ihren|tes|vos|ton|votre|tus|su|sus|tu|tue|tuoi|vostre|seus|suas|teu|je|jouw|uw|twoje|swoje|twoj|swoich|твои|свои|ваши|твой|свой|твоих|你的|您的|你|あなた|너의|당신|네|الخاصة بك|आपके|अपने|senin|sana",
        ),
        Concept::new(
            "system",
            "system|hidden|secret|internal|confidential|developer|initialization|base|core|pre prompt|preprompt|systemprompt|versteckt*|geheim*|systeme|cachees|secretes|sistema|ocultas|secretas|segrete|ukryte|systemowe|системн*|скрыт*|секретн*|系统|系統|隐藏|秘密|システム|시스템|비밀|النظام|सिस्टम|sistem|gizli",
        ),
        Concept::new(
            "model",
            "chatgpt|gpt|gpt 3|gpt 4|openai|open ai|language model|ai model|llm|chatbot|assistant|claude|gemini|bard|bing|anthropic|the ai|an ai|as ai",
        ),
        Concept::new(
            "not",
            "not|no|never|dont|don t|do not|doesnt|does not|cannot|can not|cant|wont|will not|without|neither|nor|isnt|arent|must not|should not|havent|has no|have no",
        ),
        Concept::new(
            "limits",
            "restriction|restrictions|restricted|limitation|limitations|limits|rules|filter|filters|guidelines|ethics|ethical|moral|morals|morality|morally|censorship|boundaries|constraints|policies|policy|safeguards|safety|principles|content policy|regulations|einschrankungen|beschrankungen|filtre|filtres|restricciones|limites|restrizioni|restricoes|beperkingen|ograniczen|ograniczenia|ограничени*|限制|道德|制限|倫理|제한|قيود|प्रतिबंध|sinirlama*|kisitlama*",
        ),
    ],
    signals: &[],
    #[cfg(test)]
    hits: &[],
    #[cfg(test)]
    misses: &[],
};
