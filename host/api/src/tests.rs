//! The forms say what the domain says, and the document in `openapi/` says what the forms say.

mod additive;
mod forms;
mod glossary;
mod openapi;
mod samples;
