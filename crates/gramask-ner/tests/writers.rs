//! What the writers write, the readers give back.

use gramask_ner::corpus::{
    Corpus, Form, Options, data_folder, find, write_bioc, write_brat, write_jsonl, write_pubtator,
};
use gramask_ner::{Document, Entity, Fragment};

fn write(form: Form, documents: &[Document]) -> String {
    let mut out = Vec::new();
    match form {
        Form::PubTator => write_pubtator(&mut out, documents).unwrap(),
        Form::BiocXml => write_bioc(&mut out, documents).unwrap(),
        _ => write_jsonl(&mut out, documents).unwrap(),
    }
    String::from_utf8(out).unwrap()
}

fn read_back(form: Form, documents: &[Document]) -> Vec<Document> {
    let options = Options { form: Some(form), ..Options::default() };
    if form == Form::Brat {
        let folder = tempfile::tempdir().unwrap();
        write_brat(folder.path(), documents).unwrap();
        return Corpus::read(folder.path(), &options).unwrap().0.documents;
    }
    Corpus::read_str("own", &write(form, documents), &options).unwrap().0.documents
}

fn documents() -> Vec<Document> {
    vec![
        Document::new("a", "β-actin & p < 0.05\nBreast and ovarian cancer.").with_entities(vec![
            Entity::new("Gene", 0, 7),
            Entity::discontinuous("Disease", vec![Fragment::new(19, 25), Fragment::new(38, 44)]),
            Entity::new("Disease", 30, 44),
        ]),
        Document::new("b", "Three\nlines\nof β").with_entities(vec![Entity::new("X", 6, 14)]),
        Document::new("c", "A title alone"),
    ]
}

#[test]
fn documents_come_back() {
    let documents = documents();
    for form in [Form::Brat, Form::BiocXml, Form::Jsonl] {
        assert_eq!(read_back(form, &documents), documents, "{form}");
    }
    // PubTator has one line break, and no discontinuous entity.
    let mut flat = documents;
    flat[0].entities.remove(1);
    let mut expected = flat.clone();
    expected[1] = Document::new("b", "Three\nlines of β").with_entities(flat[1].entities.clone());
    assert_eq!(read_back(Form::PubTator, &flat), expected);
}

#[test]
fn an_offset_of_its_own_is_kept() {
    let mut document = Document::new("a", "Aspirin use").with_entities(vec![Entity::new("X", 0, 7)]);
    document.offset = 40;
    for form in [Form::BiocXml, Form::Jsonl] {
        assert_eq!(read_back(form, &[document.clone()]), [document.clone()], "{form}");
    }
    assert!(write(Form::BiocXml, &[document]).contains("<location offset=\"40\" length=\"7\"/>"));
}

#[test]
fn what_a_form_cannot_express_is_an_error() {
    let entity = |label: &str, end| Document::new("a", "ab\tc").with_entities(vec![Entity::new(label, 0, end)]);
    let pubtator = |document: &Document| write_pubtator(Vec::new(), [document]).unwrap_err().to_string();
    let message = pubtator(&documents()[0]);
    assert!(message.starts_with("document a: the entity Disease 19..25;38..44 is discontinuous"), "{message}");
    assert!(pubtator(&Document::new("a|b", "")).contains("the identifier \"a|b\""));
    assert!(pubtator(&entity("Two words", 1)).contains("PubTator cannot express the label \"Two words\""));
    assert!(pubtator(&entity("X", 4)).contains("the mention \"ab\\tc\""));
    assert!(pubtator(&entity("X", 9)).contains("the offsets of X 0..9 are outside the text of 4 characters"));
    let folder = tempfile::tempdir().unwrap();
    let brat = |id: &str| write_brat(folder.path(), [&Document::new(id, "")]).unwrap_err().to_string();
    for id in ["../a", ".a", "", "a:1"] {
        assert!(brat(id).contains("is no name of a file"), "{id}");
    }
    let bioc = |text: &str| write_bioc(Vec::new(), [&Document::new("a", text)]).unwrap_err().to_string();
    assert!(bioc("bell \u{7}").contains("XML cannot express the character '\\u{7}'"));
    let back = read_back(Form::BiocXml, &[Document::new("a", "\r\n<![CDATA[ ]]> &amp;")]);
    assert_eq!(back[0].text.as_str(), "\r\n<![CDATA[ ]]> &amp;");
}

#[test]
fn real_corpora_come_back() {
    for (name, forms) in [
        ("mini", &[Form::PubTator, Form::Brat, Form::BiocXml, Form::Jsonl][..]),
        ("bc5cdr", &[Form::PubTator, Form::BiocXml]),
        ("pgxcorpus", &[Form::Brat, Form::BiocXml, Form::Jsonl]),
    ] {
        if name != "mini" && data_folder(name).is_none() {
            continue;
        }
        let (corpus, _) = find(name, "test").unwrap();
        for &form in forms {
            let back = read_back(form, &corpus.documents);
            assert_eq!(back.len(), corpus.documents.len(), "{name} {form}");
            for document in &corpus.documents {
                let same = back.iter().find(|other| other.id == document.id).unwrap();
                let (mut ours, mut theirs) = (document.clone(), same.clone());
                corpus.schema.sort(&mut ours.entities);
                corpus.schema.sort(&mut theirs.entities);
                assert_eq!(theirs, ours, "{name} {form}");
            }
        }
    }
}
