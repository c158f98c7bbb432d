
#[test]
#[ignore]
fn one() {
    let text = gramask_ner::Text::new(std::env::var("DOC").unwrap());
    let labels = std::env::var("LABELS").unwrap_or("Chemical,Disease".into());
    let program = crate::formats::program(&std::env::var("FORMAT").unwrap(), &labels.split(',').collect::<Vec<_>>());
    eprintln!("{:?}", program.repair(&text, std::env::var("OUT").unwrap().replace("\\n", "\n").replace("\\t", "\t").as_bytes()));
}
