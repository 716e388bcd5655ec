//! Objects.

use serde_json::{Map, Value, json};

use super::Path;
use super::names::Names;
use super::rewrite::{Walk, check_limit};
use super::scalars::{count, search};
use crate::GrammarError;

/// Most properties of one object: the compiler follows them by recursion.
const MAX_PROPERTIES: usize = 1_000;

/// `properties`, `patternProperties`, `additionalProperties`, `required`, `minProperties` and `maxProperties`.
pub fn objects<'a>(
    walk: &mut Walk<'a>,
    map: &'a Map<String, Value>,
    path: &Path,
    depth: usize,
    out: &mut Map<String, Value>,
) -> Result<(), GrammarError> {
    let names = Names::read(walk.document(), map, path)?;
    if let Some(properties) = map.get("properties") {
        let place = path.name("properties");
        let mut rewritten = Map::new();
        for (name, schema) in members(properties, &place)? {
            let schema = walk.value(schema, &place.name(name), depth + 1)?;
            let schema = if names.allow(name, path)? { schema } else { Value::Bool(false) };
            rewritten.insert(name.clone(), schema);
        }
        out.insert("properties".to_owned(), Value::Object(rewritten));
    }
    if let Some(properties) = map.get("patternProperties") {
        let path = path.name("patternProperties");
        let mut rewritten = Map::new();
        for (pattern, schema) in members(properties, &path)? {
            let path = path.name(pattern);
            rewritten.insert(search(&json!(pattern), &path)?, walk.value(schema, &path, depth + 1)?);
        }
        out.insert("patternProperties".to_owned(), Value::Object(rewritten));
    }
    if let Some(schema) = map.get("additionalProperties") {
        let rewritten = walk.value(schema, &path.name("additionalProperties"), depth + 1)?;
        out.insert("additionalProperties".to_owned(), rewritten);
    }
    additional_names(names, path, out)?;
    required(map, path, out)?;
    Counts::read(map, path, out)?.write(path, out)
}

/// Let properties that are not named have only these names.
fn additional_names(names: Names, path: &Path, out: &mut Map<String, Value>) -> Result<(), GrammarError> {
    if matches!(names, Names::Any) {
        return Ok(());
    }
    // An expression that every name matches says of all what `additionalProperties` says of the others.
    if let Some(Value::Object(patterns)) = out.get_mut("patternProperties")
        && patterns.len() == 1
        && let Some(schema) = patterns.remove("(?:)")
    {
        out.insert("additionalProperties".to_owned(), schema);
    }
    if let Some(Value::Object(patterns)) = out.get("patternProperties").filter(|patterns| patterns != &&json!({})) {
        let said = match &names {
            Names::Matching(pattern) => patterns.len() == 1 && patterns.contains_key(pattern),
            _ => false,
        };
        if !said {
            return Err(path.name("propertyNames").unsupported("`propertyNames` beside another `patternProperties`"));
        }
        out.insert("additionalProperties".to_owned(), Value::Bool(false));
        return Ok(());
    }
    if out.get("additionalProperties") == Some(&Value::Bool(false)) {
        return Ok(());
    }
    let schema = out.insert("additionalProperties".to_owned(), Value::Bool(false)).unwrap_or(Value::Bool(true));
    match names {
        Names::Any => {}
        Names::Listed(names) => {
            check_limit("properties of an object", names.len(), MAX_PROPERTIES)?;
            let mut properties = match out.remove("properties") {
                Some(Value::Object(properties)) => properties,
                _ => Map::new(),
            };
            for name in names {
                properties.entry(name).or_insert_with(|| schema.clone());
            }
            out.insert("properties".to_owned(), Value::Object(properties));
        }
        Names::Matching(pattern) => {
            out.insert("patternProperties".to_owned(), Value::Object(Map::from_iter([(pattern, schema)])));
        }
    }
    Ok(())
}

fn members<'a>(value: &'a Value, path: &Path) -> Result<&'a Map<String, Value>, GrammarError> {
    let members = value.as_object().ok_or_else(|| path.wrong("it must be an object of schemas"))?;
    check_limit("properties of an object", members.len(), MAX_PROPERTIES)?;
    Ok(members)
}

fn required(map: &Map<String, Value>, path: &Path, out: &mut Map<String, Value>) -> Result<(), GrammarError> {
    let names = match map.get("required") {
        // Draft 3 has a boolean here, on the property itself; it means nothing since.
        None | Some(Value::Bool(_)) => return Ok(()),
        Some(names) => names,
    };
    let path = path.name("required");
    let names = names.as_array().ok_or_else(|| path.wrong("it must be an array of names"))?;
    check_limit("properties of an object", names.len(), MAX_PROPERTIES)?;
    let mut known: Vec<&Value> = Vec::new();
    for name in names {
        if !name.is_string() {
            return Err(path.wrong("it must be an array of names"));
        }
        if !known.contains(&name) {
            known.push(name);
        }
    }
    out.insert("required".to_owned(), json!(known));
    Ok(())
}

/// How many properties an object must and may have.
struct Counts {
    least: Option<usize>,
    most: Option<usize>,
    required: usize,
    optional: usize,
    /// Whether names may follow patterns.
    patterned: bool,
    /// Whether there can be no other properties than the named ones.
    closed: bool,
}

impl Counts {
    fn read(map: &Map<String, Value>, path: &Path, out: &Map<String, Value>) -> Result<Counts, GrammarError> {
        let least = count(map, "minProperties", path)?;
        let most = count(map, "maxProperties", path)?;
        check_limit("number of properties", least.max(most).unwrap_or(0), MAX_PROPERTIES)?;
        if least.zip(most).is_some_and(|(least, most)| least > most) {
            return Err(path.wrong("`minProperties` is greater than `maxProperties`"));
        }
        let required: Vec<&str> = names(out, "required");
        let patterns = out.get("patternProperties").and_then(Value::as_object).is_some_and(|map| !map.is_empty());
        let named = out
            .get("properties")
            .and_then(Value::as_object)
            .map_or(0, |properties| properties.keys().filter(|name| !required.contains(&name.as_str())).count());
        Ok(Counts {
            least,
            most,
            required: required.len(),
            optional: named,
            patterned: patterns,
            closed: !patterns && out.get("additionalProperties") == Some(&Value::Bool(false)),
        })
    }

    /// Write the counts as far as they say more than the names do, and only what can be enforced.
    fn write(self, path: &Path, out: &mut Map<String, Value>) -> Result<(), GrammarError> {
        let least = self.least.filter(|&least| least > self.required);
        let most = self.most.filter(|&most| !self.closed || most < self.required + self.optional);
        if most.is_some_and(|most| most < self.required) {
            return Err(path.wrong("`maxProperties` is less than the number of required properties"));
        }
        if most == Some(self.required) && !self.patterned {
            close(out);
            return Ok(());
        }
        let wanted = least.map_or(0, |least| least - self.required);
        let open = most.map(|most| most - self.required);
        // A choice among optional properties can be counted to one. Unnamed ones can be counted, but the same name may come twice.
        let enforced = match self.optional {
            _ if wanted == 0 && open.is_none() => true,
            0 => wanted <= 1,
            _ => self.closed && wanted <= 1 && open.unwrap_or(1) == 1,
        };
        if !enforced {
            let keyword = if wanted > 0 { "minProperties" } else { "maxProperties" };
            let instead = "name the properties that are required, or use `anyOf`";
            return Err(path.name(keyword).unsupported(format!("counting optional properties; {instead}")));
        }
        for (name, number) in [("minProperties", least), ("maxProperties", most)] {
            if let Some(number) = number {
                out.insert(name.to_owned(), json!(number));
            }
        }
        Ok(())
    }
}

fn names<'a>(out: &'a Map<String, Value>, key: &str) -> Vec<&'a str> {
    out.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Leave nothing but the required properties.
fn close(out: &mut Map<String, Value>) {
    let required: Vec<String> = names(out, "required").into_iter().map(str::to_owned).collect();
    let others = out.remove("additionalProperties").unwrap_or(Value::Bool(true));
    let properties = out.remove("properties").unwrap_or_else(|| json!({}));
    let schema = |name: &String| properties.get(name).unwrap_or(&others).clone();
    let kept: Map<String, Value> = required.iter().map(|name| (name.clone(), schema(name))).collect();
    out.insert("properties".to_owned(), Value::Object(kept));
    out.insert("additionalProperties".to_owned(), Value::Bool(false));
}
