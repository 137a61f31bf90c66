use serde_json::{Value, json};

use super::*;

/// Answers `echo` with its parameters; knows nothing else.
fn echoing() -> Answering {
    Arc::new(|request: Request| {
        Box::pin(async move {
            match request.method.as_str() {
                "echo" => Ok(request.params().to_owned()),
                _ => Err(Failure::UnknownMethod { method: request.method }),
            }
        })
    })
}

async fn reply(text: &str) -> Reply {
    answer(text, &TaskTracker::new(), &echoing()).await
}

async fn told(text: &str) -> Value {
    match reply(text).await {
        Reply::Nothing => Value::Null,
        Reply::Text(text) | Reply::Refusal(text) => serde_json::from_str(&text).unwrap(),
    }
}

async fn code(text: &str) -> Value {
    told(text).await["error"]["code"].clone()
}

#[tokio::test]
async fn a_request_is_answered_under_its_id_as_it_was_sent() {
    for id in ["1", "\"a\\u0041\"", "null", "1.0", "-7", "123456789012345678901234567890", "1e3"] {
        let text = format!(r#"{{"jsonrpc":"2.0","method":"echo","params":[1,2],"id":{id}}}"#);
        let wanted = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":[1,2]}}"#);
        assert_eq!(reply(&text).await, Reply::Text(wanted));
    }
}

#[tokio::test]
async fn parameters_that_are_left_out_are_none() {
    let answer = told(r#"{"jsonrpc":"2.0","method":"echo","id":1}"#).await;
    assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
}

#[tokio::test]
async fn a_notification_has_no_answer_even_if_there_is_no_such_method() {
    assert_eq!(reply(r#"{"jsonrpc":"2.0","method":"echo"}"#).await, Reply::Nothing);
    assert_eq!(reply(r#"{"jsonrpc":"2.0","method":"nothing"}"#).await, Reply::Nothing);
    let batch = r#"[{"jsonrpc":"2.0","method":"echo"},{"jsonrpc":"2.0","method":"echo"}]"#;
    assert_eq!(reply(batch).await, Reply::Nothing);
}

#[tokio::test]
async fn a_null_id_is_an_id() {
    let answer = told(r#"{"jsonrpc":"2.0","method":"echo","id":null}"#).await;
    assert_eq!(answer["id"], Value::Null);
    assert_eq!(answer["result"], json!({}));
}

#[tokio::test]
async fn what_is_wrong_has_the_code_of_the_specification() {
    for text in ["", "{", "nonsense", r#"{"jsonrpc": "2.0", "method": "foobar, "params""#, "[1,"] {
        assert_eq!(code(text).await, -32700, "{text}");
    }
    for text in [
        "1",
        "\"text\"",
        "null",
        "[]",
        r#"{"foo":"boo"}"#,
        r#"{"jsonrpc":"2.0","method":1,"params":"bar"}"#,
        r#"{"jsonrpc":"2.0","method":"echo","params":"bar","id":1}"#,
        r#"{"jsonrpc":"2.0","method":"echo","params":null,"id":1}"#,
        r#"{"jsonrpc":"2.0","method":"echo","id":{}}"#,
        r#"{"jsonrpc":"2.0","method":"echo","id":true}"#,
        r#"{"jsonrpc":"1.0","method":"echo","id":1}"#,
        r#"{"method":"echo","id":1}"#,
        r#"{"jsonrpc":"2.0","method":"echo","method":"echo","id":1}"#,
        r#"{"jsonrpc":"2.0","result":1,"id":1}"#,
    ] {
        assert_eq!(code(text).await, -32600, "{text}");
    }
    assert_eq!(code(r#"{"jsonrpc":"2.0","method":"nothing","id":1}"#).await, -32601);
}

#[tokio::test]
async fn an_id_that_can_be_read_comes_back_with_the_error() {
    assert_eq!(told(r#"{"jsonrpc":"2.0","id":7}"#).await["id"], 7);
    assert_eq!(told(r#"{"jsonrpc":"2.0","id":[7]}"#).await["id"], Value::Null);
}

#[tokio::test]
async fn a_batch_is_answered_in_its_order_each_request_by_itself() {
    let batch = r#"[
        {"jsonrpc":"2.0","method":"echo","params":[1],"id":"1"},
        {"jsonrpc":"2.0","method":"echo","params":[7]},
        {"foo":"boo"},
        1,
        {"jsonrpc":"2.0","method":"nothing","id":5}
    ]"#;
    let answers = told(batch).await;
    let answers: Vec<_> = answers.as_array().unwrap().iter().collect();
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[0]["result"], json!([1]));
    assert_eq!(answers[1]["error"]["code"], -32600);
    assert_eq!(answers[2]["error"]["code"], -32600);
    assert_eq!((&answers[3]["id"], &answers[3]["error"]["code"]), (&json!(5), &json!(-32601)));
}

#[tokio::test]
async fn a_batch_is_bounded() {
    let request = r#"{"jsonrpc":"2.0","method":"echo","id":1}"#;
    let batch = |count: usize| format!("[{}]", vec![request; count].join(","));
    assert_eq!(told(&batch(LONGEST_BATCH)).await.as_array().unwrap().len(), LONGEST_BATCH);
    assert_eq!(code(&batch(LONGEST_BATCH + 1)).await, -32600);
}

#[tokio::test]
async fn an_error_carries_the_problem() {
    let answer = told(r#"{"jsonrpc":"2.0","method":"nothing","id":1}"#).await;
    assert_eq!(answer["error"]["data"]["type"], "unknown-method");
    assert_eq!(answer["error"]["data"]["status"], 404);
    assert_eq!(answer["error"]["message"], answer["error"]["data"]["detail"]);
}
