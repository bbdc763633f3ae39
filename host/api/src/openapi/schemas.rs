//! The schemas of the forms that were asked for, each told once.

use schemars::{
    JsonSchema,
    generate::{SchemaGenerator, SchemaSettings},
};
use serde_json::{Map, Value, json};

/// Collects schemas. An answer and a request differ in which of their fields have to be there.
pub(super) struct Schemas {
    answers: SchemaGenerator,
    requests: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
        });
        Self {
            answers: settings.clone().for_serialize().into_generator(),
            requests: settings.for_deserialize().into_generator(),
        }
    }

    /// The schema of what is answered, or where it stands.
    pub(super) fn answer<T: JsonSchema>(&mut self) -> Value {
        self.answers.subschema_for::<T>().to_value()
    }

    /// The schema of the body of a request, or where it stands.
    pub(super) fn body<T: JsonSchema>(&mut self) -> Value {
        self.requests.subschema_for::<T>().to_value()
    }

    /// A parameter for each field of the query of a request.
    pub(super) fn query<T: JsonSchema>(&mut self) -> Vec<Value> {
        let schema = T::json_schema(&mut self.requests).to_value();
        let fields = schema.get("properties").and_then(Value::as_object);
        let parameter = |(name, field): (&String, &Value)| {
            let mut schema = without_null(field.clone());
            let described = schema
                .as_object_mut()
                .and_then(|schema| schema.remove("description"));
            json!({
                "name": name,
                "in": "query",
                "required": false,
                "description": described,
                "schema": schema,
            })
        };
        fields.into_iter().flatten().map(parameter).collect()
    }

    /// Every schema that stands in `components`, by its name.
    pub(super) fn into_definitions(mut self) -> Map<String, Value> {
        let mut all = self.requests.take_definitions(true);
        all.extend(self.answers.take_definitions(true));
        all
    }
}

/// In a URL a field is there or not, and never null.
fn without_null(mut schema: Value) -> Value {
    let Some(fields) = schema.as_object_mut() else {
        return schema;
    };
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(mut either)) = fields.remove("anyOf") {
        either.retain(|branch| branch.get("type") != Some(&json!("null")));
        match either.as_slice() {
            [Value::Object(only)] => fields.extend(only.clone()),
            _ => {
                fields.insert("anyOf".to_owned(), Value::Array(either));
            }
        }
    }
    schema
}
