<?php
// A page in two parts: the second one when somebody has written to the pipe of that name.
header('Content-Type: text/plain');
echo 'first ';
flush();
echo file_get_contents($_GET['pipe']);
