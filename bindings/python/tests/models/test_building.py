# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import pytest
from hang import HANG_S

THREADS = """
import sys, threading
from pydantic import TypeAdapter
from amazon_q_streaming_client import models

shapes = [s for s in map(models.__getattr__, models.__all__)
          if isinstance(s, type) and issubclass(s, models.Shape)]
wrong = []
together = threading.Barrier(8)

def use(number):
    for shape in shapes:
        together.wait()
        try:
            if number == 0:
                read = TypeAdapter(shape).validate_json('{"new": 1}')
            else:
                read = shape.model_validate_json('{"new": 1}')
            if type(read) is not shape:
                wrong.append(shape)
        except ValueError:
            pass  # something required is missing, or a variant has nothing new
        except BaseException as error:
            wrong.append((shape, error))

sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(shapes) > 134 and not wrong, wrong
"""


def run(code):
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=HANG_S)


def test_threads_may_be_the_first_to_use_a_class_at_once():
    run(THREADS)


@pytest.mark.parametrize(
    "first_use",
    [
        "m.UserInputMessage(content='x')",
        'm.UserInputMessage.from_wire(b\'{"content":"x"}\')',
        "TypeAdapter(m.UserInputMessage).validate_python({'content': 'x'})",
        "TypeAdapter(m.ChatMessage).validate_python({'userInputMessage': {'content': 'x'}})",
        'TypeAdapter(list[m.ChatMessage]).validate_json(\'[{"userInputMessage":{"content":"x"}}]\')[0]',
        "Holder(message={'userInputMessage': {'content': 'x'}}).message",
    ],
)
def test_a_class_is_ready_however_it_is_first_used(first_use):
    run(
        "from pydantic import BaseModel, TypeAdapter\n"
        "from amazon_q_streaming_client import models as m\n"
        "class Holder(BaseModel):\n    message: m.ChatMessage\n"
        f"said = {first_use}\n"
        "assert type(said) is m.UserInputMessage and said.to_wire() == {'content': 'x'}, said\n"
    )


def test_a_module_is_imported_when_one_of_its_shapes_is_asked_for():
    run(
        "import sys\n"
        "from amazon_q_streaming_client import models\n"
        "assert 'pydantic' not in sys.modules\n"
        "models.AssistantResponseEvent\n"
        "assert models.__name__ + '._responses' in sys.modules\n"
        "assert models.__name__ + '._requests' not in sys.modules\n"
        "assert models.__name__ + '._runtime' not in sys.modules\n"
    )
