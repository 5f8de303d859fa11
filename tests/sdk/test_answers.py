"""What is in the documents is answered from the right one; what is not is declined."""

import pytest

from promptcraft_sdk.retrieval import Answerer, topics

AGENT = ("tax_advisor", "Tax advisor", "finance")


@pytest.fixture(scope="session")
def advisor(handbook):
    return Answerer(handbook, AGENT)


@pytest.mark.parametrize(
    ("question", "file", "says"),
    [
        ("When is the VAT return due?", "vat/returns.md", "10th day after the end of the quarter"),
        ("What does it cost to file late?", "vat/returns.md", "up to 10 percent"),
        ("Which rate applies to books?", "vat/rates.md", "7 %"),
        ("How much is the allowance for meals?", "expenses.md", "14 a day"),
        ("Are bicycles reimbursed?", "expenses.md", "Bicycles are not reimbursed"),
        ("When must social security contributions be paid?", "payroll/deadlines.md", "third last banking day"),
        ("Who approves invoices above 5,000?", "faq.json", "head of finance"),
        ("registering suppliers", "faq.json", "supplier form"),
    ],
)
def test_a_question_is_answered_from_the_document_that_holds_it(advisor, question, file, says):
    found = advisor.answer(question)

    assert found.answered
    assert found.passages[0].file == file
    assert says in found.answer
    assert len(found.passages) <= 3


@pytest.mark.parametrize(
    "question",
    [
        "How do I bake a chocolate cake?",
        "What is the capital of Mongolia?",
        "Which tax does a dog owner in Norway pay?",
        "What should the tax advisor do about finance?",
        "How do I do this?",
        "what is it",
        "",
        "?!",
        "\u202e\u0000 🎂",
    ],
)
def test_what_the_documents_do_not_hold_is_declined(advisor, question):
    found = advisor.answer(question)

    assert not found.answered
    assert (found.answer, found.passages) == ("", ())


def test_words_of_the_agents_own_name_are_no_evidence(handbook):
    question = "Which tax applies to yachts?"

    assert not Answerer(handbook, AGENT).answer(question).answered


def test_two_capabilities_answer_one_question_differently(advisor):
    question = "On which day of the month?"

    vat = advisor.answer(question, added=["Find when a VAT return is due"])
    payroll = advisor.answer(question, added=["Explain payroll and wage tax"])

    assert vat.passages[0].file == "vat/returns.md"
    assert payroll.passages[0].file == "payroll/deadlines.md"


def test_a_capability_answers_only_where_its_own_words_are_found_too(advisor):
    assert advisor.answer("How much is the allowance for meals?").answered
    assert not advisor.answer("How much is the allowance for meals?", added=["Register suppliers"]).answered


def test_a_follow_up_is_understood_by_the_question_before(advisor):
    alone = advisor.answer("And on exports?", context=[])
    followed = advisor.answer("And in the following month?", context=["When is the monthly VAT return due?"])

    assert followed.answered
    assert followed.passages[0].file == "vat/returns.md"
    assert alone.passages == () or alone.passages[0].file == "vat/rates.md"


@pytest.mark.parametrize("follow_up", ["And for books?", "What about books?", "Is it the same for books?", "Books?"])
def test_a_follow_up_keeps_the_subject_of_the_question_before(advisor, follow_up):
    followed = advisor.answer(follow_up, context=["Which VAT rate is the standard one?", "It is 19 %."])

    assert followed.answered
    assert followed.passages[0].file == "vat/rates.md"


def test_a_follow_up_of_a_follow_up_keeps_the_subject_too(advisor):
    before = ["Which VAT rate is the standard one?", "And for books?", "It is 7 %."]

    followed = advisor.answer("And for exports?", context=before)

    assert followed.answered
    assert followed.passages[0].file == "vat/rates.md"


def test_a_new_question_is_not_drawn_to_what_came_before(advisor):
    alone = advisor.answer("How much is the allowance for meals?")

    assert advisor.answer("How much is the allowance for meals?", context=["When is the VAT return due?"]) == alone


@pytest.mark.parametrize("strange", ["And who painted the Mona Lisa?", "What about zeppelins?"])
def test_a_follow_up_about_something_strange_is_declined(advisor, strange):
    assert not advisor.answer(strange, context=["When is the VAT return due?"]).answered


def test_what_came_before_does_not_make_nonsense_answerable(advisor):
    assert not advisor.answer("Who painted the Mona Lisa?", context=["When is the VAT return due?"]).answered


def test_a_question_in_a_long_letter_is_found(advisor):
    letter = (
        "Dear colleagues, my sister opened a bakery in Hamburg last spring and asked me about paperwork over dinner. "
        "I told her that I would find out. When is the quarterly VAT return due? Many greetings from the seaside."
    )

    assert advisor.answer(letter).passages[0].file == "vat/returns.md"


def test_a_very_long_question_is_bounded(advisor):
    assert not advisor.answer("lorem ipsum dolor " * 5_000).answered


def test_a_long_passage_is_quoted_where_it_covers_the_question(indexed):
    filler = [f"Sentence {number} of this rule concerns something else entirely and goes on." for number in range(40)]
    filler[20] = "The warranty of the coffee machine ends after thirty months."
    index = indexed({"rules.md": "# Rules\n\n" + "\n".join(filler)})

    answer = Answerer(index).answer("How long is the warranty of the coffee machine?").answer

    assert "thirty months" in answer
    assert len(answer) < 1_000


def test_citations_reach_over_files_before_repeating_one(indexed):
    same = {
        f"{name}.md": f"# {name}\n\nThe printer on floor {name} needs toner.\n\n## More\n\nToner for printers: black."
        for name in "abcd"
    }

    found = Answerer(indexed(same)).answer("Which toner does the printer need?")

    assert len({passage.file for passage in found.passages}) == 3


def test_text_without_spaces_between_words_is_found(indexed):
    index = indexed({"a.md": "請求書は翌月の末日までに支払います。", "b.md": "休暇は年に三十日あります。"})

    assert Answerer(index).answer("請求書の支払いはいつですか").passages[0].file == "a.md"


def test_british_and_american_spelling_find_each_other(indexed):
    index = indexed({"a.md": "The color of the organization's centerpiece is red.", "b.md": "Holidays are in May."})

    assert Answerer(index).answer("Which colour has the organisation's centerpiece?").passages[0].file == "a.md"


def test_topics_are_the_titles_of_the_documents(handbook):
    assert set(topics(handbook)) == {
        "Payroll",
        "Questions from the helpdesk",
        "Travel expenses",
        "VAT rates",
        "VAT returns",
    }
