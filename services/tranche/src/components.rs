//! Schemas as the components of a document, OpenAPI or AsyncAPI, where they share their definitions.

use serde_json::{Map, Value};

/// Moves the definitions of a schema into the components, each under the name that `to` gives it.
pub(crate) fn lift(
    schema: &mut Value,
    components: &mut Map<String, Value>,
    to: &dyn Fn(&str) -> String,
) {
    repoint(schema, to);
    let Some(object) = schema.as_object_mut() else { return };
    object.remove("$schema");
    if let Some(Value::Object(definitions)) = object.remove("$defs") {
        components.extend(definitions.into_iter().map(|(key, value)| (to(&key), value)));
    }
}

/// Makes references to definitions references to components.
pub(crate) fn repoint(value: &mut Value, to: &dyn Fn(&str) -> String) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("$ref")
                && let Some(key) = reference.strip_prefix("#/$defs/")
            {
                *reference = format!("#/components/schemas/{}", to(key));
            }
            object.values_mut().for_each(|member| repoint(member, to));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| repoint(item, to)),
        _ => {}
    }
}
