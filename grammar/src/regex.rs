use crate::GrammarError;
pub fn to_lark(regex: &str) -> Result<String, GrammarError> {
    Ok(format!("start: TEXT\nTEXT: /{}/", regex.replace('/', "\\/")))
}
