use crate::GrammarError;
pub fn to_lark(grammar: &str) -> Result<String, GrammarError> {
    Ok(grammar.to_owned())
}
