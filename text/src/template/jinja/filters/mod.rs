//! jinja2's filters, and transformers' `tojson`.

mod attributes;
mod items;
mod numbers;
mod texts;

use super::super::TemplateError;
use super::arguments::Args;
use super::eval::Vm;
use super::value::Value;

pub type FilterFn = fn(&mut Vm, Value, Args) -> Result<Value, TemplateError>;

/// The filter of that name.
pub fn find(name: &str) -> Option<FilterFn> {
    Some(match name {
        "abs" => numbers::abs,
        "attr" => attributes::attr,
        "batch" => items::batch,
        "capitalize" => texts::capitalize,
        "center" => texts::center,
        "count" | "length" => items::length,
        "d" | "default" => items::default,
        "dictsort" => items::dictsort,
        "e" | "escape" => texts::escape,
        "first" => items::first,
        "float" => numbers::float,
        "forceescape" => texts::force_escape,
        "format" => texts::format,
        "groupby" => attributes::group_by,
        "indent" => texts::indent,
        "int" => numbers::int,
        "items" => items::items,
        "join" => attributes::join,
        "last" => items::last,
        "list" => items::list,
        "lower" => texts::lower,
        "map" => attributes::map,
        "max" => |vm, value, args| attributes::extreme(vm, value, args, true),
        "min" => |vm, value, args| attributes::extreme(vm, value, args, false),
        "reject" => |vm, value, args| attributes::choose(vm, value, args, false, false),
        "rejectattr" => |vm, value, args| attributes::choose(vm, value, args, true, false),
        "replace" => texts::replace,
        "reverse" => items::reverse,
        "round" => numbers::round,
        "safe" => texts::safe,
        "select" => |vm, value, args| attributes::choose(vm, value, args, false, true),
        "selectattr" => |vm, value, args| attributes::choose(vm, value, args, true, true),
        "slice" => items::slice,
        "sort" => attributes::sort,
        "string" => texts::string,
        "striptags" => texts::strip_tags,
        "sum" => attributes::sum,
        "title" => texts::title,
        "tojson" => texts::to_json,
        "trim" => texts::trim,
        "truncate" => texts::truncate,
        "unique" => attributes::unique,
        "upper" => texts::upper,
        "urlencode" => texts::url_encode,
        "wordcount" => texts::word_count,
        _ => return None,
    })
}
