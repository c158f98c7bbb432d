//! Evaluating the answer of a task: whether it is valid, and whether it is the expected one.

use gramask_grammar::json_schema::json_equal;
use serde_json::Value;

use crate::plan::Task;
use crate::store::Answer;

/// What is found of an answer.
pub fn evaluate_answer(task: &Task, answer: &str) -> Answer {
    let expected = task.expected.as_ref().map(|expected| compare_with_expected(answer, expected));
    Answer {
        valid: task.validator.accepts(answer),
        exact: expected.map(|(exact, _)| exact),
        equal: expected.and_then(|(_, equal)| equal),
    }
}

/// How an answer compares with the expected one: whether the texts are the same, and whether the JSON values are equal. The second is
/// unknown where the expected answer is a text that is not JSON.
fn compare_with_expected(answer: &str, expected: &Value) -> (bool, Option<bool>) {
    match expected {
        Value::String(text) => {
            let is_json = serde_json::from_str::<Value>(text).is_ok();
            (answer == text, is_json.then(|| json_equal(answer, text) == Some(true)))
        }
        value => {
            let text = value.to_string();
            (answer == text, Some(json_equal(answer, &text) == Some(true)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_are_compared_as_texts_and_as_values() {
        assert_eq!(compare_with_expected("yes", &json!("yes")), (true, None));
        assert_eq!(compare_with_expected("no", &json!("yes")), (false, None));
        assert_eq!(compare_with_expected("{\"a\":1.0}", &json!({"a": 1})), (false, Some(true)));
        assert_eq!(compare_with_expected("[1]", &json!([1])), (true, Some(true)));
        assert_eq!(compare_with_expected("[1", &json!([1])), (false, Some(false)));
        assert_eq!(compare_with_expected(" 7", &json!("7")), (false, Some(true)));
    }
}
