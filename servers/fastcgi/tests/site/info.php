<?php
// What PHP makes of a request.
header('Content-Type: application/json');
$names = ['SCRIPT_NAME', 'PATH_INFO', 'SCRIPT_FILENAME', 'DOCUMENT_ROOT', 'PATH_TRANSLATED', 'PHP_SELF', 'REQUEST_URI',
    'QUERY_STRING', 'REMOTE_ADDR', 'HTTP_X_TEST', 'HTTP_AUTHORIZATION', 'CONTENT_LENGTH', 'ADDED'];
$seen = array_intersect_key($_SERVER, array_flip($names));
$input = strlen(file_get_contents('php://input'));
echo json_encode($seen + ['input' => $input, 'pid' => getmypid()], JSON_UNESCAPED_SLASHES);
