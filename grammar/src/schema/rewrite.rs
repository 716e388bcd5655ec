//! The walk over a schema: every keyword is enforced, left out as an annotation, or refused.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{Path, arrays, disjoint, numbers, objects, scalars};
use crate::GrammarError;

/// Deepest nesting of schemas within schemas.
const MAX_DEPTH: usize = 48;

/// Most schemas in a schema, counting each definition that is used once.
const MAX_SCHEMAS: usize = 5_000;

/// Most values in all `enum`s together, and most of their text in bytes.
const MAX_VALUES: usize = 10_000;
const MAX_VALUE_BYTES: usize = 512 << 10;

/// How deep the parts of an object's schema are looked into for the names of its properties.
const MAX_EVALUATED: usize = 6;

/// Most values that are searched for a name.
const MAX_NAMED: usize = 100_000;

/// What constrains documents in a way that cannot be decided while they are written.
const UNSUPPORTED: [(&str, &str); 11] = [
    ("not", "list what is allowed instead"),
    ("if", "use `anyOf` with the cases written out"),
    ("dependentRequired", "use `anyOf` with the cases written out"),
    ("dependentSchemas", "use `anyOf` with the cases written out"),
    ("dependencies", "use `anyOf` with the cases written out"),
    ("contains", "use `prefixItems` or `items`"),
    ("unevaluatedItems", "use `items: false`"),
    ("unevaluatedProperties", "use `additionalProperties: false`"),
    ("$dynamicRef", "use `$ref`"),
    ("$recursiveRef", "use `$ref`"),
    ("extends", "use `allOf`"),
];

/// A walk over a whole document.
pub struct Walk<'a> {
    document: &'a Value,
    /// The number of each definition that is referred to, by its pointer and by a property that it must have.
    names: HashMap<(String, Option<&'a str>), usize>,
    /// What is still to be rewritten: pointers of definitions, in the order of their numbers, and a property that each must have.
    pending: Vec<(String, &'a Value, Option<&'a str>)>,
    schemas: usize,
    values: usize,
    value_bytes: usize,
}

/// The schema with all of its definitions as `$defs` named `0`, `1`, ….
pub fn rewrite(document: &Value) -> Result<Value, GrammarError> {
    let mut walk = Walk { document, names: HashMap::new(), pending: Vec::new(), schemas: 0, values: 0, value_bytes: 0 };
    let mut root = match walk.value(document, &Path::root("#"), 0)? {
        Value::Object(root) => root,
        constant => Map::from_iter([("allOf".to_owned(), json!([constant]))]),
    };
    let mut definitions = Map::new();
    while let Some((pointer, schema, tag)) = walk.pending.get(definitions.len()).cloned() {
        let mut rewritten = walk.schema(schema, &Path::root(&pointer), 0)?;
        require(&mut rewritten, tag);
        definitions.insert(definitions.len().to_string(), rewritten);
    }
    root.insert("$defs".to_owned(), Value::Object(definitions));
    Ok(Value::Object(root))
}

/// Let an object have a property.
fn require(rewritten: &mut Value, tag: Option<&str>) {
    if let (Some(tag), Value::Object(map)) = (tag, rewritten)
        && let Value::Array(names) = map.entry("required").or_insert_with(|| json!([]))
        && !names.iter().any(|name| name == tag)
    {
        names.push(json!(tag));
    }
}

impl<'a> Walk<'a> {
    /// The whole document.
    pub fn document(&self) -> &'a Value {
        self.document
    }

    /// A schema that describes a whole value. One without a type that says how an object or an array looks like means an object or an
    /// array, although it would accept anything else.
    pub fn value(&mut self, schema: &'a Value, path: &Path, depth: usize) -> Result<Value, GrammarError> {
        let mut rewritten = self.schema(schema, path, depth)?;
        if let Value::Object(map) = &mut rewritten {
            let decided = ["type", "enum", "const", "$ref", "anyOf", "allOf"].iter().any(|key| map.contains_key(*key));
            let means = |keys: &[&str]| keys.iter().any(|key| map.contains_key(*key));
            if !decided && means(&["properties", "patternProperties", "required"]) {
                map.insert("type".to_owned(), json!("object"));
            } else if !decided && means(&["items", "prefixItems"]) {
                map.insert("type".to_owned(), json!("array"));
            }
        }
        Ok(rewritten)
    }

    /// Any schema.
    pub fn schema(&mut self, schema: &'a Value, path: &Path, depth: usize) -> Result<Value, GrammarError> {
        self.schemas += 1;
        check_limit("nesting of schemas", depth, MAX_DEPTH)?;
        check_limit("schemas within the schema", self.schemas, MAX_SCHEMAS)?;
        let map = match schema {
            Value::Bool(_) => return Ok(schema.clone()),
            Value::Object(map) => map,
            _ => return Err(path.wrong("a schema must be an object, `true` or `false`")),
        };
        if says(map, "not") {
            let path = path.name("not");
            match &map["not"] {
                Value::Bool(true) => return Ok(Value::Bool(false)),
                Value::Object(inner) if inner.keys().all(|key| is_annotation(key)) => return Ok(Value::Bool(false)),
                Value::Object(_) if !scalars::excluded(map).is_empty() => {}
                Value::Object(_) => return Err(path.unsupported(UNSUPPORTED[0].1)),
                _ => return Err(path.wrong("a schema must be an object, `true` or `false`")),
            }
        }
        refuse_unsupported(map, path)?;
        let mut out = Map::new();
        scalars::types(map, path, &mut out)?;
        numbers::numbers(map, path, &mut out)?;
        arrays::arrays(self, map, path, depth, &mut out)?;
        objects::objects(self, map, path, depth, &mut out)?;
        self.values(map, path, &mut out)?;
        self.combinations(map, path, depth, &mut out)?;
        if let Some(reference) = map.get("$ref") {
            out.insert("$ref".to_owned(), self.reference(reference, None, &path.name("$ref"))?);
        }
        Ok(Value::Object(out))
    }

    /// `enum` and `const`.
    fn values(
        &mut self,
        map: &'a Map<String, Value>,
        path: &Path,
        out: &mut Map<String, Value>,
    ) -> Result<(), GrammarError> {
        if let Some(value) = map.get("const") {
            self.constant(value, &path.name("const"), 0)?;
            out.insert("const".to_owned(), value.clone());
        }
        if let Some(values) = map.get("enum") {
            let path = path.name("enum");
            let values = values.as_array().ok_or_else(|| path.wrong("it must be an array"))?;
            if values.is_empty() {
                return Err(path.wrong("it must have at least one value"));
            }
            for (index, value) in values.iter().enumerate() {
                self.constant(value, &path.index(index), 0)?;
            }
            out.insert("enum".to_owned(), Value::Array(values.clone()));
        }
        Ok(())
    }

    /// Checks a value that documents must hold literally.
    pub fn constant(&mut self, value: &Value, path: &Path, depth: usize) -> Result<(), GrammarError> {
        self.values += 1;
        check_limit("values of `enum` and `const`", self.values, MAX_VALUES)?;
        check_limit("nesting of a constant", depth, MAX_DEPTH)?;
        match value {
            Value::String(text) => {
                self.value_bytes += text.len();
                check_limit("bytes in the values of `enum` and `const`", self.value_bytes, MAX_VALUE_BYTES)?;
                scalars::check_text(text, path)
            }
            Value::Number(number) => numbers::check_number(number, path),
            Value::Array(values) => values
                .iter()
                .enumerate()
                .try_for_each(|(index, value)| self.constant(value, &path.index(index), depth + 1)),
            Value::Object(map) => map.iter().try_for_each(|(name, value)| {
                self.value_bytes += name.len();
                self.constant(value, &path.name(name), depth + 1)
            }),
            Value::Null | Value::Bool(_) => Ok(()),
        }
    }

    /// `anyOf`, `allOf`, `oneOf`, and strings, whose pattern and format together take an `allOf`.
    fn combinations(
        &mut self,
        map: &'a Map<String, Value>,
        path: &Path,
        depth: usize,
        out: &mut Map<String, Value>,
    ) -> Result<(), GrammarError> {
        let mut all = Vec::new();
        scalars::strings(map, path, out, &mut all)?;
        if let Some(options) = map.get("anyOf") {
            let options = self.alternatives(options, &path.name("anyOf"), depth)?;
            out.insert("anyOf".to_owned(), Value::Array(options));
        }
        if let Some(options) = map.get("oneOf") {
            let path = path.name("oneOf");
            let tag = disjoint::check(self.document, map, options, &path)?;
            all.push(json!({"anyOf": self.tagged(options, tag, &path, depth)?}));
        }
        if map.get("unevaluatedProperties") == Some(&Value::Bool(false)) {
            let mut names = Map::new();
            self.evaluated(map, 0, &mut names);
            all.push(json!({"properties": names, "additionalProperties": false}));
        }
        if let Some(parts) = map.get("allOf") {
            all.extend(self.alternatives(parts, &path.name("allOf"), depth)?);
        }
        if let Some(Value::Array(known)) = out.get_mut("allOf") {
            known.append(&mut all);
        } else if !all.is_empty() {
            out.insert("allOf".to_owned(), Value::Array(all));
        }
        Ok(())
    }

    /// The names of properties that an object's schema speaks of whatever the object holds: its own, and those of what must hold with it.
    fn evaluated(&self, map: &Map<String, Value>, depth: usize, names: &mut Map<String, Value>) {
        let own = map.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
        names.extend(own.map(|name| (name.clone(), Value::Bool(true))));
        let target = map.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|reference| resolve(self.document, reference, &Path::root("#")).ok());
        let parts = map.get("allOf").and_then(Value::as_array).into_iter().flatten();
        for part in parts.chain(target).filter_map(Value::as_object).filter(|_| depth < MAX_EVALUATED) {
            self.evaluated(part, depth + 1, names);
        }
    }

    /// Alternatives that must all have a property, if one is named.
    fn tagged(
        &mut self,
        options: &'a Value,
        tag: Option<&'a str>,
        path: &Path,
        depth: usize,
    ) -> Result<Vec<Value>, GrammarError> {
        let Some(tag) = tag else { return self.alternatives(options, path, depth) };
        let mut rewritten = Vec::new();
        for (index, option) in options.as_array().into_iter().flatten().enumerate() {
            let path = path.index(index);
            rewritten.push(match option.get("$ref") {
                Some(reference) => json!({"$ref": self.reference(reference, Some(tag), &path.name("$ref"))?}),
                None => {
                    let mut option = self.schema(option, &path, depth + 1)?;
                    require(&mut option, Some(tag));
                    option
                }
            });
        }
        Ok(rewritten)
    }

    fn alternatives(&mut self, options: &'a Value, path: &Path, depth: usize) -> Result<Vec<Value>, GrammarError> {
        let options = options.as_array().ok_or_else(|| path.wrong("it must be an array of schemas"))?;
        if options.is_empty() {
            return Err(path.wrong("it must have at least one schema"));
        }
        options.iter().enumerate().map(|(index, option)| self.schema(option, &path.index(index), depth + 1)).collect()
    }

    /// The short name of what a reference leads to, or of that with a property which it must have.
    fn reference(&mut self, reference: &Value, tag: Option<&'a str>, path: &Path) -> Result<Value, GrammarError> {
        let pointer = reference.as_str().ok_or_else(|| path.wrong("it must be a string"))?;
        let key = (pointer.to_owned(), tag);
        let number = match self.names.get(&key) {
            Some(&number) => number,
            None => {
                let target = resolve(self.document, pointer, path)?;
                self.pending.push((pointer.to_owned(), target, tag));
                self.names.insert(key, self.pending.len() - 1);
                self.pending.len() - 1
            }
        };
        Ok(Value::from(format!("#/$defs/{number}")))
    }
}

/// What a reference within the document leads to.
pub fn resolve<'a>(document: &'a Value, reference: &str, path: &Path) -> Result<&'a Value, GrammarError> {
    let pointer = match reference.strip_prefix('#') {
        Some(pointer) if pointer.is_empty() || pointer.starts_with('/') => pointer,
        _ => {
            if let Some(named) = named(document, reference) {
                return Ok(named);
            }
            return Err(
                path.unsupported(format!("{reference:?} is no pointer into this schema, such as `#/$defs/name`"))
            );
        }
    };
    let pointer = unescape(pointer).ok_or_else(|| path.wrong(format!("{reference:?} has a broken %-escape")))?;
    document.pointer(&pointer).ok_or_else(|| path.wrong(format!("{reference:?} leads nowhere")))
}

/// The schema within the document that calls itself so, by `$id` or by `$anchor`.
fn named<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    let anchor = reference.strip_prefix('#');
    let mut pending = vec![document];
    for _ in 0..MAX_NAMED {
        let value = pending.pop()?;
        let says = |key: &str, text: &str| value.get(key).and_then(Value::as_str) == Some(text);
        if says("$id", reference) || anchor.is_some_and(|anchor| says("$anchor", anchor)) {
            return Some(value);
        }
        match value {
            Value::Object(map) => {
                pending.extend(
                    map.iter().filter(|(key, _)| !matches!(key.as_str(), "const" | "enum")).map(|(_, value)| value),
                );
            }
            Value::Array(values) => pending.extend(values),
            _ => {}
        }
    }
    None
}

/// The text with `%20` and the like decoded.
fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

fn refuse_unsupported(map: &Map<String, Value>, path: &Path) -> Result<(), GrammarError> {
    for (keyword, instead) in UNSUPPORTED {
        let is_held = keyword == "not" && !scalars::excluded(map).is_empty();
        if says(map, keyword) && !is_held {
            return Err(path.name(keyword).unsupported(format!("`{keyword}`; {instead}")));
        }
    }
    Ok(())
}

/// Whether a keyword is there and constrains anything.
fn says(map: &Map<String, Value>, keyword: &str) -> bool {
    let Some(value) = map.get(keyword) else { return false };
    let is_trivial = |schema: &Value| match schema {
        Value::Object(map) => map.keys().all(|key| is_annotation(key)),
        schema => schema == &Value::Bool(true),
    };
    match keyword {
        "not" => value != &Value::Bool(false),
        "unevaluatedProperties" if value == &Value::Bool(false) => false,
        "if" => ["then", "else"].iter().any(|branch| map.get(*branch).is_some_and(|schema| !is_trivial(schema))),
        "dependentRequired" | "dependencies" | "dependentSchemas" => {
            let required = map.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let says_nothing = |dependent: &Value| match dependent {
                Value::Array(names) => names.iter().all(|name| required.contains(name)),
                schema => is_trivial(schema),
            };
            !value.as_object().is_some_and(|map| map.values().all(says_nothing))
        }
        "contains" if arrays::contains_all(map) => false,
        "contains" => map.get("minContains").and_then(Value::as_u64) != Some(0) || map.contains_key("maxContains"),
        "unevaluatedItems" | "unevaluatedProperties" => !is_trivial(value),
        _ => true,
    }
}

/// Whether a keyword says nothing about documents.
pub fn is_annotation(keyword: &str) -> bool {
    const ANNOTATIONS: [&str; 12] = [
        "title",
        "description",
        "default",
        "examples",
        "example",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$comment",
        "$id",
        "$schema",
        "$anchor",
    ];
    ANNOTATIONS.contains(&keyword) || keyword.starts_with("x-")
}

/// An error if there is more of something than is taken.
pub fn check_limit(what: &str, count: usize, limit: usize) -> Result<(), GrammarError> {
    if count > limit {
        return Err(GrammarError::TooLarge { what: format!("{what}: {count}"), limit });
    }
    Ok(())
}
